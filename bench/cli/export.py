"""`bench export`: a run's tables, or files for tools that follow its numbers over commits."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options, output
from bench.disk.durable import write_bytes
from bench.errors import UsageError, unknown
from bench.store.files import plain
from bench.store.folder import RunFolder
from bench.words import program

TABLES = ("csv", "parquet")
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def export(
    run: options.Run,
    format_: Annotated[
        list[str] | None,
        typer.Option("--format", help="csv, parquet, github, bmf or summary; may be repeated. [default: csv]"),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", "-m", help="For github and bmf: these instead of the default ones.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Folder to write to. [default: exported/ in the run's own]")] = None,
    step_summary: Annotated[
        bool, typer.Option("--step-summary", help=f"Append the summary to the file that ${STEP_SUMMARY} names, too.")
    ] = False,
    results: options.Results = Path("results"),
) -> None:
    """Copy a run's tables into a folder of their own, or write its numbers as other tools read them.

    \b
    csv, parquet   the three tidy tables, with run.json
    github         bigger-is-better.json and smaller-is-better.json of github-action-benchmark
    bmf            bmf.json, the metric format of Bencher
    summary        summary.md, for the summary of a CI job

    \b
    Values are medians over fits, with the 95 % interval over rounds (or fits, where those are what repeats) from 3 of
    them on. A cell with a fit that did not finish has no medians, is named in the summary, and its share of finished
    fits, fits_ok, falls.

    \b
    Examples:
      bench export latest --format parquet --to tables
      bench export latest --format github --format bmf --to exported
      bench export latest --format bmf -m seconds_total -m ess_per_gradient
      bench export latest --format summary --step-summary
    """
    from bench.pipeline import run_tables  # this and the next import pandas
    from bench.present import export as bridges

    formats = list(dict.fromkeys(format_ or (["summary"] if step_summary else ["csv"])))
    for form in formats:
        options.word("format", form, (*TABLES, *bridges.FORMATS))
    for name in metric or ():
        if name not in bridges.MEASURES:
            raise unknown("metric", name, bridges.MEASURES)
    folder = RunFolder.open(results, run)
    target = to or folder.path / "exported"
    copied = list(dict.fromkeys(file for form in formats if form in TABLES for file in tables_of(folder, form)))
    wanted = [form for form in formats if form in bridges.FORMATS]
    texts = bridges.files(run_tables(folder), wanted, metric or bridges.DEFAULT) if wanted else {}
    output.warn(folder)
    target.mkdir(parents=True, exist_ok=True)
    for file in copied:
        shutil.copyfile(file, target / file.name)
    for file_name, text in texts.items():
        write_bytes(target / file_name, text.encode())
    if copied:
        output.OUT.print(f"{len(copied) - 1} tables and run.json in {target}")
    if texts:
        output.OUT.print(f"{', '.join(texts)} in {target}")
    if step_summary:
        _append(texts.get(bridges.SUMMARY) or bridges.files(run_tables(folder), ["summary"])[bridges.SUMMARY])


def tables_of(folder: RunFolder, form: str, names: Sequence[str] = ()) -> list[Path]:
    """The files of the tables (or of these), with run.json; UsageError where one is absent or damaged."""
    from bench.store import tables

    files = [folder.path / f"{name}.{form}" for name in names or tables.TABLES]
    again = f"first: {program.command('score', folder.path)}"
    for file in files:
        try:
            plain(file)
        except OSError:
            raise UsageError(f"{folder.path} has no {file.name}; {again}") from None
        except ValueError as error:
            raise UsageError(f"{file} is damaged ({error}); {again}") from None
    for name in tables.TABLES:
        tables.read(folder, name)
    if damaged := [name for name in tables.TABLES if f"{name}.parquet" in folder.damage]:
        raise UsageError(f"{', '.join(damaged)} would be exported damaged; {again}")
    return [*files, folder.path / "run.json"]


def _append(text: str) -> None:
    """Add the text to the summary of the CI step; where there is no such step, say so."""
    step = os.environ.get(STEP_SUMMARY)
    if not step:
        sys.stderr.write(f"{STEP_SUMMARY} is not set: the summary is in its file only\n")
        return
    with Path(step).open("a", encoding="utf-8") as file:
        file.write(text + "\n")

"""`bench export`: a run's tables, or files for tools that follow its numbers over commits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bench.store.folder import RunFolder

TABLES = ("csv", "parquet")
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name or path of a run; `latest` is the newest.")],
    format_: Annotated[
        list[str] | None,
        typer.Option("--format", help="csv, parquet, github, bmf or summary; may be repeated. [default: csv]"),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", "-m", help="For github and bmf: these instead of the default ones.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Folder to write to. [default: RUN-export]")] = None,
    step_summary: Annotated[
        bool, typer.Option("--step-summary", help=f"Append the summary to the file that ${STEP_SUMMARY} names, too.")
    ] = False,
    results: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("results"),
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
    from bench.cli.options import word
    from bench.cli.output import OUT, warn
    from bench.errors import unknown
    from bench.present import export as bridges
    from bench.store.folder import RunFolder

    formats = list(dict.fromkeys(format_ or (["summary"] if step_summary else ["csv"])))
    for form in formats:
        word("format", form, (*TABLES, *bridges.FORMATS))
    for name in metric or ():
        if name not in bridges.MEASURES:
            raise unknown("metric", name, bridges.MEASURES)
    folder = RunFolder.open(results, run)
    target = to or Path(f"{folder.name}-export")
    made = list(dict.fromkeys(file for form in formats if form in TABLES for file in _tables(folder, form)))
    texts = _texts(folder, [f for f in formats if f in bridges.FORMATS], metric or [])
    warn(folder)
    _write(target, made, texts)
    if made:
        OUT.print(f"{len(made) - 1} tables and run.json in {target}", markup=False)
    if texts:
        OUT.print(f"{', '.join(texts)} in {target}", markup=False)
    if step_summary:
        _append(texts.get(bridges.SUMMARY) or _texts(folder, ["summary"], [])[bridges.SUMMARY])


def _tables(folder: RunFolder, form: str) -> list[Path]:
    """The files of the tables, with run.json; UsageError where one is absent or damaged."""
    from bench.errors import UsageError
    from bench.store.tables import TABLES as NAMES
    from bench.store.tables import read

    files = [folder.path / f"{name}.{form}" for name in NAMES]
    absent = [f.name for f in files if not f.is_file()]
    if absent:
        raise UsageError(f"{folder.path} has no {', '.join(absent)}; first: python -m bench score {folder.name}")
    for name in NAMES:
        read(folder, name)
    spoilt = [name for name in NAMES if f"{name}.parquet" in folder.damage]
    if spoilt:
        raise UsageError(f"{', '.join(spoilt)} would be exported damaged; first: python -m bench score {folder.name}")
    return [*files, folder.path / "run.json"]


def _texts(folder: RunFolder, formats: list[str], metrics: list[str]) -> dict[str, str]:
    """{file name: text} for other tools."""
    from bench.pipeline import run_tables
    from bench.present import export as bridges

    return bridges.files(run_tables(folder), formats, metrics or bridges.DEFAULT) if formats else {}


def _write(target: Path, copied: list[Path], texts: dict[str, str]) -> None:
    import shutil

    from bench.store.folder import write_bytes

    target.mkdir(parents=True, exist_ok=True)
    for file in copied:
        shutil.copy(file, target / file.name)
    for name, text in texts.items():
        write_bytes(target / name, text.encode())


def _append(text: str) -> None:
    """Add the text to the summary of the CI step; where there is no such step, say so."""
    import os

    named = os.environ.get(STEP_SUMMARY)
    if not named:
        sys.stderr.write(f"{STEP_SUMMARY} is not set: the summary is in its file only\n")
        return
    with Path(named).open("a", encoding="utf-8") as file:
        file.write(text + "\n")

"""`bench report`: a run, or several side by side, as a page and as Markdown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options, output
from bench.errors import UsageError
from bench.store.folder import RunFolder

if TYPE_CHECKING:
    from bench.analysis.tables import RunTables

LONGEST = 100
"""Characters of a combined name at most."""


def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]…", help="Names or paths of runs; `latest` is the newest. [default: latest]"),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where to write. [default: the run's; of several, RESULTS/A+B]"),
    ] = None,
    results: options.Results = Path("results"),
) -> None:
    """Write report.md and report.html from the tables of a run, or of several, and print where they are.

    Runs of unlike machines, or of unlike data, stand side by side with verdicts of their own; rows of runs of one
    machine say which run they are of, and rounds are paired within a run only. What differs is said at the top.

    \b
    Examples:
      bench report latest
      bench report on-cpu on-gpu
      bench report results/published/standard-cpu latest --to both
    """
    from bench import pipeline  # numpy

    folders = [RunFolder.open(results, name) for name in runs or ["latest"]]
    target = to or (folders[0].path if len(folders) == 1 else results / combined_name(folders))
    tables = pipeline.run_tables(folders[0]) if len(folders) == 1 else _side_by_side(folders, target)
    pipeline.write_tables(tables, target)
    output.warn(*folders)
    output.OUT.print(f"{target / 'report.html'}\n{target / 'report.md'}")


def combined_name(folders: list[RunFolder]) -> str:
    """`a+b`, which no run can be called; of many runs the first, and how many more."""
    name = "+".join(folder.name for folder in folders)
    return name if len(name) <= LONGEST else f"{folders[0].name[:LONGEST]}+{len(folders) - 1}-more"


def _side_by_side(folders: list[RunFolder], target: Path) -> RunTables:
    """The tables of several runs as one; UsageError where a run is named twice."""
    from bench import pipeline
    from bench.analysis.combined import Source, combine

    places = [folder.path.resolve() for folder in folders]
    if twice := [folder.name for folder, place in zip(folders, places, strict=True) if places.count(place) > 1]:
        raise UsageError(f"run {twice[0]} is named twice; name each once")
    names = [folder.name for folder in folders]
    sources = [
        Source(
            name=folder.name if names.count(folder.name) == 1 else str(folder.path),
            tables=pipeline.run_tables(folder),
            home=f"{os.path.relpath(folder.path, target)}/",
        )
        for folder in folders
    ]
    return combine(sources)

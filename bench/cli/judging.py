"""What the verbs that judge runs share: their options, the runs they read, and what they say of no baseline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from bench.analysis.tables import RunTables
    from bench.store.folder import RunFolder

FORMATS = ("text", "markdown", "json")
Form = Annotated[str, typer.Option("--format", help="text, markdown or json.")]
FailOn = Annotated[
    list[str] | None,
    typer.Option("--fail-on", metavar="EXPR", help="What alone fails (and its threshold); may be repeated."),
]
Threshold = Annotated[
    list[str] | None,
    typer.Option("--threshold", metavar="EXPR", help="How large a change counts, in the form of --fail-on."),
]
Metric = Annotated[
    list[str] | None, typer.Option("--metric", "-m", help="Compare these metrics instead of the default ones.")
]
All = Annotated[bool, typer.Option("--all", help="Every row, not only what changed (json has all).")]


def tables(folder: RunFolder) -> RunTables:
    """The tables of a run, with a warning on stderr for what of it is damaged."""
    from bench import pipeline
    from bench.cli import output

    read = pipeline.run_tables(folder)
    output.warn(folder)
    return read


def baseline(results: Path, name: str) -> RunTables:
    """The tables of the run to compare with; exit code 5 where there is none, or nothing in it finished."""
    from bench.compare.baseline import statuses
    from bench.errors import UsageError
    from bench.store.folder import RunFolder

    try:
        folder = RunFolder.open(results, name)
    except UsageError as error:
        no_baseline(f"{error}. Next: python -m bench run --name {name}")
    read = tables(folder)
    if unfinished := statuses(read):
        no_baseline(f"no fit of {name} finished ({unfinished}). Next: python -m bench report {name}")
    return read


def no_baseline(why: str) -> NoReturn:
    """Say so and exit."""
    from bench.compare.rows import NO_BASELINE

    sys.stderr.write(f"no baseline: {why}\n")
    raise typer.Exit(NO_BASELINE)

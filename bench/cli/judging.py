"""The two runs that `bench compare` reads, and what is said where there is no baseline."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import typer

from bench import pipeline
from bench.analysis.tables import RunTables
from bench.cli import output
from bench.comparison.baseline import statuses
from bench.comparison.rows import NO_BASELINE
from bench.errors import UsageError
from bench.store.folder import RunFolder
from bench.words import program


def tables(folder: RunFolder) -> RunTables:
    """The tables of a run, with a warning on stderr for what of it is damaged."""
    read = pipeline.run_tables(folder)
    output.warn(folder)
    return read


def baseline(results: Path, name: str) -> RunTables:
    """The tables of the run to compare with; exit code 5 where there is none, or nothing in it finished."""
    try:
        folder = RunFolder.open(results, name)
    except UsageError as error:
        no_baseline(f"{error}. Next: {program.command('run', '--name', name)}")
    read = tables(folder)
    if unfinished := statuses(read):
        no_baseline(f"no fit of {name} finished ({unfinished}). Next: {program.command('report', name)}")
    return read


def no_baseline(why: str) -> NoReturn:
    """Say so and exit."""
    output.ERR.print(f"no baseline: {why}", markup=False)
    raise typer.Exit(NO_BASELINE)

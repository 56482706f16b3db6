"""A metric over the runs of a folder: which runs and cells, their series, and where the text goes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

from bench import pipeline
from bench.analysis.combined import Source
from bench.analysis.labels import label
from bench.cli import output
from bench.cli.progress import Status
from bench.comparison.measures import Measure
from bench.comparison.series import Series, series
from bench.disk.durable import write_bytes
from bench.errors import UsageError, unknown
from bench.present.history.formats import render
from bench.selection import is_named
from bench.store.folder import RunFolder
from bench.store.manifest import Run, instant
from bench.words import program

__all__ = ["render", "tracks", "write"]


def tracks(
    results: Path, since: str | None, scenarios: list[str], backends: list[str], measure: Measure, level: float
) -> list[Series]:
    """The series of the cells that the user named, all cells by default; UsageError."""
    with Status("reading runs") as status:
        sources = _sources(results, since)
        status.update("looking for steps")
        return series(sources, measure, wanted=_wanted(sources, scenarios, backends), level=level)


def _sources(results: Path, since: str | None) -> list[Source]:
    """Every run that can be read, from `since` on; what cannot be is named on stderr."""
    folders = RunFolder.all(results)
    if not folders:
        raise UsageError(f"no runs in {results}; first: {program.command('run')}")
    readable: list[tuple[RunFolder, Run]] = []
    for folder in folders:
        try:
            readable.append((folder, folder.manifest()))
        except UsageError as error:
            folder.damage["run.json"] = str(error)
    from_ = _start(readable, since) if since else -math.inf
    sources = [Source(folder.name, pipeline.run_tables(folder)) for folder, run in readable if run.instant >= from_]
    output.warn(*folders)
    return sources


def _start(runs: list[tuple[RunFolder, Run]], since: str) -> float:
    """The instant at which the run named was started, or the first of that commit, or that of the date itself."""
    for folder, run in runs:
        if folder.name == since:
            return run.instant
    date = f"{since}-01" if re.fullmatch(r"\d{4}-\d{2}", since) else since
    if "-" in date and instant(date) > -math.inf:
        return instant(date)
    starts = [run.instant for _, run in runs if len(since) >= 7 and (run.commit or "").startswith(since)]
    if not starts:
        raise unknown("run, commit or date for --since", since, [folder.name for folder, _ in runs])
    return min(starts)


def _wanted(sources: list[Source], scenarios: list[str], backends: list[str]) -> Callable[[str, str], bool]:
    """Whether the user named a scenario and a backend, both with what is in their brackets.

    UsageError for a name that no run has.
    """

    def matches(pattern: str, name: str) -> bool:
        return is_named(pattern, name, name.partition("[")[0])

    cells = {
        (str(row["scenario"]), label(row))
        for s in sources
        for row in s.tables.fits[["scenario", "backend", "options"]].drop_duplicates().to_dict("records")
    }
    for what, patterns, place in (("scenario", scenarios, 0), ("backend", backends, 1)):
        known = {cell[place] for cell in cells}
        for pattern in patterns:
            if not any(matches(pattern, name) for name in known):
                raise unknown(f"{what} (in these runs)", pattern, known)
    return lambda s, b: all(
        not patterns or any(matches(pattern, name) for pattern in patterns)
        for patterns, name in ((scenarios, s), (backends, b))
    )


def write(text: str, to: Path | None) -> None:
    """Into a file, whose name is printed, or on stdout; UsageError where there is no such folder."""
    if to is None:
        output.write(text)
        return
    try:
        write_bytes(to, text.encode())
    except FileNotFoundError:
        raise UsageError(f"cannot write {to}: there is no folder {to.parent}") from None
    output.OUT.print(str(to))

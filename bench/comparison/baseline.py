"""What a run is held against, or judged from: a run's folder, or a JSON file of pytest-benchmark that holds one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from bench.analysis.tables import RunTables
from bench.comparison import document
from bench.errors import UsageError
from bench.store import tables as store
from bench.store.files import content
from bench.store.folder import RunFolder


class NoBaseline(Exception):
    """There is nothing to compare with; the message says why, and what to type next."""


class Source(NamedTuple):
    """A run with where it came from, the names of its benchmarks, and those left out on purpose."""

    tables: RunTables
    place: str
    names: dict[str, str]
    deselected: frozenset[str] = frozenset()


def load(place: str, where: Path = Path()) -> Source:
    """A JSON file, or the folder or the name of a run below `results`; UsageError says why neither can be read."""
    path = where / place
    if path.is_file():
        return _file(path, place)
    if not path.exists() and not (where / "results" / place / "run.json").is_file():
        raise UsageError(f"{place}: there is no such file, and no run of that name in {where / 'results'}")
    try:
        folder = RunFolder.open(where / "results", str(path) if path.exists() else place)
        tables = _folder(folder)
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from None
    return Source(tables, place, {})


def _folder(folder: RunFolder) -> RunTables:
    manifest = folder.manifest()
    frames = store.read_all(folder, manifest)
    if folder.damage:
        where, why = next(iter(folder.damage.items()))
        raise UsageError(f"{where} is damaged: {why}")
    return RunTables(manifest, *frames)


def _file(path: Path, place: str) -> Source:
    try:
        held = json.loads(content(path.resolve()))
        return Source(document.tables(held), place, document.names(held), document.deselected(held))
    except json.JSONDecodeError as error:
        raise UsageError(f"{place} is neither a run nor JSON as pytest --benchmark-json writes it: {error}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{place}: {error}") from None


def baseline(place: str, where: Path = Path()) -> Source:
    """As `load`, but NoBaseline where there is none, or where nothing in it finished."""
    if not place:
        raise NoBaseline("none was named; next: pytest … --benchmark-json BASE.json, then --bench-baseline BASE.json")
    try:
        return usable(load(place, where))
    except UsageError as error:
        raise NoBaseline(str(error)) from None


def usable(source: Source) -> Source:
    """The source itself; NoBaseline where no fit of its run finished."""
    if unfinished := statuses(source.tables):
        raise NoBaseline(f"{source.place}: no fit of it finished ({unfinished})")
    return source


def statuses(tables: RunTables) -> str:
    """`12 failed, 3 timeout` of a run of which no fit finished; empty where one did."""
    counts = tables.fits["status"].value_counts()
    if "ok" in counts:
        return ""
    return ", ".join(f"{n} {status}" for status, n in counts.items()) or "it has none"

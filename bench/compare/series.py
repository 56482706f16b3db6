"""Runs → a series per cell and machine: a point per run, in the order in which they were made, and its steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.analysis import changes
from bench.analysis.combined import Source, machines_of, problems_of
from bench.analysis.labels import label
from bench.analysis.sections import VARYING
from bench.analysis.tables import CellTables, split
from bench.compare.measures import Measure
from bench.compare.samples import finished, units, values
from bench.stats.intervals import paired
from bench.stats.steps import LEVEL, detect
from bench.store.manifest import Run

INTERVAL = 0.95


@dataclass(frozen=True, slots=True)
class Point:
    """One run of a cell: the mean over rounds or fits with a 95 % interval; geometric for ratios, trimmed for seconds.

    Without a value `status` says why; `low` and `high` are None below two rounds.
    """

    run: str
    when: str
    commit: str
    dirty: bool
    value: float | None
    low: float | None
    high: float | None
    rounds: int
    status: str


@dataclass(frozen=True, slots=True)
class Change:
    """A step: from point `index` on the level is `after`; `worse` and `material` as the measure and its limit say."""

    index: int
    before: float
    after: float
    worse: bool
    material: bool
    causes: tuple[str, ...]
    """What of the harness and the versions changed at that run."""


@dataclass(frozen=True, slots=True)
class Series:
    """One cell on one machine, fitting one problem; `measured` are the points with a value."""

    cell: str
    scenario: str
    backend: str
    machine: str
    problem: str
    points: tuple[Point, ...]
    steps: tuple[Change, ...]

    @property
    def name(self) -> str:
        """`scenario × backend`, and which problem where the scenario has changed."""
        return f"{self.scenario} × {self.backend}" + (f", {self.problem}" if self.problem else "")

    @property
    def measured(self) -> list[Point]:
        """Points with a value."""
        return [p for p in self.points if p.value is not None]

    @property
    def ends_worse(self) -> bool:
        """Whether the last step there is made it worse, by more than the measure's limit."""
        return bool(self.steps) and self.steps[-1].worse and self.steps[-1].material


@dataclass(slots=True)
class _Track:
    """The rows of a series while runs are read."""

    first: Mapping[str, Any]
    machine: str
    problem: str
    points: list[Point]
    levels: list[float]
    runs: list[Run]


def series(
    sources: Sequence[Source], measure: Measure, *, wanted: Callable[[str, str], bool], level: float = LEVEL
) -> list[Series]:
    """Every series of the cells that are `wanted` (scenario, backend label), in the order of the first run of each.

    Runs are put in the order in which they were started. Machines, threads and problems that differ never share one.
    """
    sources = sorted(sources, key=lambda s: (s.tables.run.started or "", s.name))
    machines, problems = machines_of(sources), problems_of(sources)
    tracks: dict[tuple[str, ...], _Track] = {}
    for s in sources:
        for cell, mine in split(s.tables).items():
            first = {str(k): v for k, v in mine.fits.iloc[0].items()}
            scenario = str(first["scenario"])
            if not wanted(scenario, label(first)):
                continue
            problem = next((g for g in problems.get(scenario, []) if s.name in g), [])
            told = f"as from {problem[0]}" if problem else ""
            key = _key(tracks, cell, machines[s.name], told, _threads(mine))
            track = tracks.setdefault(key, _Track(first, machines[s.name], told, [], [], []))
            point, logged = _point(s, mine, measure)
            track.points.append(point)
            if logged is not None:
                track.levels.append(logged)
                track.runs.append(s.tables.run)
    varying = _varying([t.first for t in tracks.values()])
    return [_series(cell, track, measure, varying, level) for (cell, *_), track in tracks.items()]


def _key(tracks: Mapping[tuple[str, ...], _Track], *key: str) -> tuple[str, ...]:
    """The key of a series; a run in which the cell never got so far as to have threads joins the latest of its own."""
    *same, threads = key
    mine = [k for k in tracks if list(k[:-1]) == same]
    return mine[-1] if mine and (not threads or not mine[-1][-1]) else key


def _threads(cell: CellTables) -> str:
    """CPUs in force; empty for a cell of which no fit began."""
    found = {str(t) for t in cell.fits["threads"].dropna()} if "threads" in cell.fits else set()
    return "/".join(sorted(found))


def _point(source: Source, cell: CellTables, measure: Measure) -> tuple[Point, float | None]:
    """The point, and its level on the scale on which steps are looked for."""
    run = source.tables.run
    known = (source.name, run.started or "", run.commit or "", bool(run.dirty))
    done = finished(cell)
    found = values(measure, done)
    ratio = measure.scale == "ratio"
    usable = {rep: v for rep, v in found.items() if math.isfinite(v) and (v > 0 or not ratio)}
    if not usable or len(usable) < len(found):
        return Point(*known, None, None, None, 0, _why(cell, bool(found), ratio)), None
    levels = np.array(list(units(measure, usable, done).values()))
    level = paired(levels, trim=measure.trimmed)
    shown = math.exp if ratio else float
    low, high = map(shown, level.interval(INTERVAL)) if level.n_a > 1 else (None, None)
    return Point(*known, shown(level.effect), low, high, level.n_a, "ok"), level.effect


def _why(cell: CellTables, has_values: bool, ratio: bool) -> str:
    if has_values:
        return "some values are 0 or below, and have no ratio" if ratio else "some values are not finite"
    bad = cell.fits[cell.fits["status"] != "ok"]["status"]
    return str(bad.mode().iloc[0]) if len(bad) else "not measured"


def _varying(firsts: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[str]]:
    """{(scenario, label): columns by which namesakes are told apart}."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for first in firsts:
        groups.setdefault((str(first["scenario"]), label(first)), []).append(first)
    return {
        key: [c for c in ("track", *VARYING) if len({str(v) for f in mine if not pd.isna(v := f.get(c))}) > 1]
        for key, mine in groups.items()
    }


def _series(
    cell: str, track: _Track, measure: Measure, varying: Mapping[tuple[str, str], list[str]], level: float
) -> Series:
    scenario, backend = str(track.first["scenario"]), label(track.first)
    told = ", ".join(f"{c} {track.first.get(c)}" for c in varying[scenario, backend])
    ratio = measure.scale == "ratio"
    shown = math.exp if ratio else float
    places = [i for i, p in enumerate(track.points) if p.value is not None]
    steps = []
    for step in detect(np.array(track.levels), level=level):
        effect = step.after - step.before
        before, after = track.runs[step.index - 1], track.runs[step.index]
        changed = [f"{name} {change}" for name, change in changes.versions(before, after).items()]
        causes = [c for c in changes.harness(before, after) if not c.startswith("uncommitted")]
        steps.append(
            Change(
                index=places[step.index], before=shown(step.before), after=shown(step.after),
                worse=(effect > 0) == measure.lower_is_better, material=abs(effect) > measure.limit,
                causes=(*causes, *changed),
            )
        )  # fmt: skip
    return Series(
        cell=cell, scenario=scenario, backend=f"{backend} ({told})" if told else backend, machine=track.machine,
        problem=track.problem, points=tuple(track.points), steps=tuple(steps),
    )  # fmt: skip

"""Runs → a series per cell and machine: a point per run, in the order in which they were made, and its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.analysis import changes
from bench.analysis.combined import Source, machines_of, problems_of
from bench.analysis.labels import label
from bench.analysis.tables import CellTables, split
from bench.comparison.measures import Measure
from bench.comparison.rows import variants
from bench.comparison.samples import finished, units, unusable, values
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
    def starts(self) -> set[int]:
        """Where its steps are, as places among its points."""
        return {change.index for change in self.steps}

    @property
    def ends_worse(self) -> bool:
        """Whether the last step there is made it worse, by more than the measure's limit."""
        return bool(self.steps) and self.steps[-1].worse and self.steps[-1].material


@dataclass(slots=True)
class _Track:
    """What is read of a series, run by run: its points, their levels on the scale compared, and the manifests."""

    first: Mapping[str, Any]
    machine: str
    problem: str
    points: list[Point]
    levels: list[float | None]
    runs: list[Run]


def series(
    sources: Sequence[Source], measure: Measure, *, wanted: Callable[[str, str], bool], level: float = LEVEL
) -> list[Series]:
    """Every series of the cells that are `wanted` (scenario, backend label), in the order of the first run of each.

    Runs are put in the order in which they were started. Machines, threads and problems that differ never share one.
    """
    sources = sorted(sources, key=lambda s: (s.tables.run.instant, s.name))
    machines, problems = machines_of(sources), problems_of(sources)
    tracks: dict[tuple[str, ...], _Track] = {}
    for s in sources:
        for cell, tables in split(s.tables).items():
            first = {str(k): v for k, v in tables.fits.iloc[0].items()}
            if not wanted(str(first["scenario"]), label(first)):
                continue
            same = next((group for group in problems.get(str(first["scenario"]), []) if s.name in group), [])
            problem = f"as from {same[0]}" if same else ""
            key = _key(tracks, cell, machines[s.name], problem, tables.texts("threads"))
            track = tracks.setdefault(key, _Track(first, machines[s.name], problem, [], [], []))
            point, logged = _point(s, tables, measure)
            track.points.append(point)
            track.levels.append(logged)
            track.runs.append(s.tables.run)
    apart = variants([t.first for t in tracks.values()])
    return [
        _series(cell, track, measure, variant, level)
        for ((cell, *_), track), variant in zip(tracks.items(), apart, strict=True)
    ]


def _key(tracks: Mapping[tuple[str, ...], _Track], *key: str) -> tuple[str, ...]:
    """The key of a series; a run in which the cell never got so far as to have threads joins the latest of its own."""
    *same, threads = key
    alike = [k for k in tracks if list(k[:-1]) == same]
    return alike[-1] if alike and (not threads or not alike[-1][-1]) else key


def _point(source: Source, cell: CellTables, measure: Measure) -> tuple[Point, float | None]:
    """The point, and its level on the scale on which steps are looked for."""
    run = source.tables.run
    known = (source.name, run.started or "", run.commit or "", bool(run.dirty))
    fits = finished(cell)
    numbers = values(measure, fits)
    if not numbers or (why := unusable(measure, numbers.values())):
        return Point(*known, None, None, None, 0, why if numbers else _status(cell)), None
    level = paired(np.array(list(units(measure, numbers, fits).values())), trim=measure.trimmed)
    low, high = map(measure.shown, level.interval(INTERVAL)) if level.n_a > 1 else (None, None)
    return Point(*known, measure.shown(level.effect), low, high, level.n_a, "ok"), level.effect


def _status(cell: CellTables) -> str:
    """How its fits ended, the commonest way."""
    bad = cell.fits[cell.fits["status"] != "ok"]["status"]
    return str(bad.mode().iloc[0]) if len(bad) else "not measured"


def _series(cell: str, track: _Track, measure: Measure, variant: str, level: float) -> Series:
    places = [i for i, logged in enumerate(track.levels) if logged is not None]
    steps = []
    for step in detect(np.array([x for x in track.levels if x is not None]), level=level):
        effect = step.after - step.before
        before, after = (track.runs[places[i]] for i in (step.index - 1, step.index))
        versions = [f"{name} {change}" for name, change in changes.versions(before, after).items()]
        causes = [c for c in changes.harness(before, after) if not c.startswith("uncommitted")]
        steps.append(
            Change(
                index=places[step.index], before=measure.shown(step.before), after=measure.shown(step.after),
                worse=measure.worsening(effect) > 0, material=abs(effect) > measure.limit,
                causes=(*causes, *versions),
            )
        )  # fmt: skip
    backend = label(track.first)
    return Series(
        cell=cell, scenario=str(track.first["scenario"]), backend=f"{backend} ({variant})" if variant else backend,
        machine=track.machine, problem=track.problem, points=tuple(track.points), steps=tuple(steps),
    )  # fmt: skip

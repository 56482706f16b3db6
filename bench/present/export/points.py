"""What a run has to say to other tools: a median per benchmark and metric, and what has none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.analysis.labels import distinct, label
from bench.analysis.tables import CellTables, RunTables, split
from bench.comparison.measures import DEFAULT as COMPARED
from bench.comparison.measures import MEASURES, STATUS, Measure
from bench.comparison.samples import Finished, finished, units, unusable, values
from bench.score.catalog import METRICS
from bench.stats.intervals import MIN_UNITS, paired
from bench.store.manifest import Run
from bench.words import format as fmt
from bench.words.clean import clean

DEFAULT = tuple(name for name in COMPARED if name != STATUS)
"""What is exported unless metrics are named; `fits_ok` always is."""
FITS_OK = "fits_ok"
LEVEL = 0.95
USUAL: Mapping[str, str] = {"device": "cpu", "dtype": "float64", "track": "matched", "budget": "quick"}
"""What a benchmark's name leaves out, so that it stays the same whatever else a run holds."""


@dataclass(frozen=True, slots=True)
class Point:
    """A median over the finished fits of one cell, with the interval that its rounds (or fits) allow.

    `counted` says how many of what the interval rests on: `5 rounds`.
    """

    benchmark: str
    cell: str
    metric: str
    unit: str
    lower_is_better: bool
    value: float
    interval: tuple[float, float] | None
    fits: int
    counted: str


class Absent(NamedTuple):
    """A benchmark without values, or (with `metric`) without one; and why."""

    benchmark: str
    metric: str
    reason: str


@dataclass(frozen=True, slots=True)
class Points:
    """All points in the order of the plan; `facts` says in words what they were measured with."""

    values: tuple[Point, ...]
    absent: tuple[Absent, ...]
    benchmarks: int
    facts: str


def collect(tables: RunTables, metrics: Sequence[str] = DEFAULT) -> Points:
    """The points of a run.

    Only a cell whose planned fits all finished has medians: those of the survivors would be too good. The share that
    finished is a point of its own, so that a benchmark that fails is worse, not missing. KeyError for a metric that is
    not in `bench.comparison.measures.MEASURES`.
    """
    measures = [MEASURES[name] for name in dict.fromkeys(metrics)]
    rows: list[Point | Absent] = []
    cells = split(tables)
    names = benchmark_names(tables.fits)
    for cell, name in names.items():
        rows.append(_share(name, cell, cells[cell]))
        if len(cells[cell].ok) < len(cells[cell].fits):
            rows.append(Absent(name, "", _ended(cells[cell])))
        else:
            rows += _of_cell(name, cell, cells[cell], measures)
    points = tuple(p for p in rows if isinstance(p, Point))
    return Points(points, tuple(p for p in rows if isinstance(p, Absent)), len(names), _facts(tables.run))


def benchmark_names(fits: pd.DataFrame) -> dict[str, str]:
    """{cell: `scenario/backend[options]`, with what is unusual about it in parentheses}."""
    return distinct({str(row["cell"]): _name(row) for _, row in fits.drop_duplicates("cell").iterrows()})


def _name(row: pd.Series[Any]) -> str:
    unusual = [str(row[key]) for key, usual in USUAL.items() if str(row[key]) != usual]
    return clean(f"{row['scenario']}/{label(row)}" + (f" ({', '.join(unusual)})" if unusual else ""))


def _share(name: str, cell: str, tables: CellTables) -> Point:
    planned = len(tables.fits)
    return Point(
        name, cell, FITS_OK, "share", False, len(tables.ok) / planned, None, planned, f"{planned} planned fits"
    )


def _ended(tables: CellTables) -> str:
    """`2 of 9 fits timeout: over 60 s`, for each status that is not ok."""
    bad = tables.fits[tables.fits["status"] != "ok"]
    parts = []
    for status, rows in bad.groupby("status", sort=True):
        reason = next((str(r) for r in rows["reason"].dropna() if str(r)), "no reason was recorded")
        parts.append(f"{len(rows)} of {len(tables.fits)} fits {status}: {clean(reason)}")
    return "; ".join(parts)


def _of_cell(name: str, cell: str, tables: CellTables, measures: Sequence[Measure]) -> Iterator[Point | Absent]:
    run, kind = finished(tables), str(tables.fits["kind"].iloc[0])
    for measure in measures:
        numbers = values(measure, run)
        if not numbers:
            about = METRICS.get(measure.metric)
            if measure.machine_bound and measure.reps == "warm" and not len(tables.warm):
                yield Absent(name, measure.name, "no warm fit: --reps 2 or more makes some")
            elif measure.unit != "bytes" and (about is None or not about.not_applicable(kind)):
                yield Absent(name, measure.name, "nothing was recorded")
        elif not all(map(math.isfinite, numbers.values())):
            yield Absent(name, measure.name, "some values are not finite")
        else:
            yield _point(name, cell, measure, numbers, run)


def _point(name: str, cell: str, measure: Measure, numbers: Mapping[int, float], run: Finished) -> Point:
    middle = median(numbers.values())
    repeated = [] if unusable(measure, numbers.values()) else list(units(measure, numbers, run).values())
    counted = fmt.count(len(repeated), measure.per) if repeated else ""
    interval = _interval(repeated, measure, middle) if len(repeated) >= MIN_UNITS else None
    return Point(
        name, cell, measure.name, measure.unit, measure.lower_is_better, middle, interval, len(numbers), counted
    )


def _interval(repeated: Sequence[float], measure: Measure, middle: float) -> tuple[float, float]:
    """95 % over rounds or fits, on the log scale for what is compared by ratios.

    On that scale the middle of their distribution is taken to be its mean. `middle` is the median over fits: where that
    lies outside, as with one round in ten far off, the interval is widened to hold it.
    """
    low, high = map(measure.shown, paired(np.array(repeated), trim=measure.trimmed).interval(LEVEL))
    return min(low, middle), max(high, middle)


def _facts(run: Run) -> str:
    commit = (run.commit or "")[:10]
    parts = [
        f"run {run.id}" if run.id else "",
        f"commit {commit}{' with uncommitted changes' if run.dirty else ''}" if commit else "",
        run.host.cpu,
        f"{run.threads} CPUs per fit" if run.threads else "",
    ]
    return clean("; ".join(filter(None, parts)))

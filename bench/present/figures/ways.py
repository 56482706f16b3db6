"""The way of a backend to its answer, over its reps: what the error figures draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.analysis.sections import Row
from bench.present.figures import spec
from bench.stats.settling import aligned
from bench.types import Array

FLOOR = 1e-5
"""Smaller errors are drawn here."""
MIN_BAND = 5
"""Reps from which a band of 5–95 % is drawn; below, each rep is."""
AXES = {
    "warm": ("seconds", "error-seconds-warm", "warm seconds"),
    "cold": ("seconds_cold", "error-seconds-cold", "cold seconds"),
    "gradients": ("gradients", "error-gradients", "gradient evaluations of the full data"),
}


class Course(NamedTuple):
    """A backend's way to its answer: medians over reps at each checkpoint, their band, and each rep's own way.

    x and y are (checkpoint,); low and high are 5 % and 95 % of y, None below MIN_BAND reps. `end` is the median
    finished fit, `reach_x` and `reach_y` how far the reps' finished fits lie apart.
    """

    x: Array
    y: Array
    low: Array | None
    high: Array | None
    reps: list[tuple[Array, Array]]
    end: tuple[float, float]
    reach_x: tuple[float, float]
    reach_y: tuple[float, float]


Ways = dict[int, dict[str, Array]]
"""{rep: {step, seconds, seconds_cold, gradients, value}} of b²_avg along the way, each (checkpoint,)."""


def ways(row: Row) -> Ways:
    """Every finished rep's way to its answer."""
    columns = row.tables.curve("b2_avg", "step", "seconds", "seconds_cold", "gradients", "value")
    reps, starts = np.unique(columns.pop("rep"), return_index=True)
    pieces = {name: np.split(values, starts[1:]) for name, values in columns.items()}
    return {int(rep): {name: split[i] for name, split in pieces.items()} for i, rep in enumerate(reps)}


def course(row: Row, reps: Ways, against: str) -> Course | None:
    """What is drawn of a row; None where it has no error, or no number on that axis."""
    tables, column = row.tables, AXES[against][0]
    own = tables.numbers("rep") if against == "gradients" else tables.floats("rep", cold=against == "cold")
    wanted = {int(rep) for rep in own}
    usable = []
    for rep, way in reps.items():
        good = (way["value"] < np.inf) & (way[column] > 0)
        if rep in wanted and good.any():
            usable.append((way["step"][good], way[column][good], way["value"][good].clip(FLOOR)))
    usable = usable or _finished(row, against)
    return _summary(usable) if usable else None


def _finished(row: Row, against: str) -> list[tuple[Array, Array, Array]]:
    """One point per rep, where only finished fits were scored."""
    if against == "gradients":
        return []
    errors = {rep: value for rep, _, value in row.tables.by_rep("b2_avg")}
    error = np.array([errors.get(int(rep), np.nan) for rep in row.tables.floats("rep", cold=against == "cold")])
    seconds = row.tables.floats("seconds_total", cold=against == "cold")
    good = (seconds > 0) & np.isfinite(error)
    points = zip(seconds[good], error[good].clip(FLOOR), strict=True)
    return [(np.zeros(1), np.array([x]), np.array([y])) for x, y in points]


def _summary(ways: Sequence[tuple[Array, Array, Array]]) -> Course:
    """A rep that stopped early keeps its last answer and its last second."""
    _, at = aligned([step for step, _, _ in ways])
    x = np.array([way[1][i] for way, i in zip(ways, at, strict=True)])
    y = np.array([way[2][i] for way, i in zip(ways, at, strict=True)])
    middle = np.maximum.accumulate(np.median(x, axis=0))
    kept = spec.thinned(middle)
    low, high = np.quantile(y, [0.05, 0.95], axis=0)[:, kept] if len(ways) >= MIN_BAND else (None, None)
    thin = [] if len(ways) >= MIN_BAND or len(ways) == 1 else [_own(way[1], way[2]) for way in ways]
    last_x, last_y = [way[1][-1] for way in ways], [way[2][-1] for way in ways]
    return Course(
        x=middle[kept],
        y=np.median(y, axis=0)[kept],
        low=low,
        high=high,
        reps=thin,
        end=(float(np.median(last_x)), float(np.median(last_y))),
        reach_x=_range(last_x),
        reach_y=_range(last_y),
    )


def _own(x: Array, y: Array) -> tuple[Array, Array]:
    kept = spec.thinned(np.maximum.accumulate(x), 60)
    return x[kept], y[kept]


def _range(values: Sequence[float]) -> tuple[float, float]:
    """5–95 % of enough values, all of them else."""
    ends = (0.05, 0.95) if len(values) >= MIN_BAND else (0.0, 1.0)
    low, high = np.quantile(values, ends)
    return float(low), float(high)

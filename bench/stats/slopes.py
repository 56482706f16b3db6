"""Power laws through seconds over sizes: least-squares slopes, and where two of them cross."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.stats.intervals import critical
from bench.types import Array

LEVEL = 0.95
Points = Sequence[tuple[float, float]]
"""(size, value), all positive."""


class Slope(NamedTuple):
    """log value = level + slope · (log size − centre); `low` and `high` enclose the slope."""

    slope: float
    low: float
    high: float
    level: float
    centre: float

    def at(self, size: float) -> float:
        """The value of the fitted line."""
        return math.exp(self.level + self.slope * (math.log(size) - self.centre))


class Crossing(NamedTuple):
    """The size at which two lines cross, with its interval; None where that is not bounded."""

    size: float
    interval: tuple[float, float] | None


def slope(points: Points) -> Slope:
    """Least squares on logs with Student's t; ValueError for fewer than two sizes."""
    u, v = np.log(np.asarray(points, dtype=float)).T
    beta, level, centre, spread, error = _line(u, v)
    reach = critical(len(u) - 2, LEVEL) * error / math.sqrt(spread) if len(u) > 2 else math.inf
    return Slope(beta, beta - reach, beta + reach, level, centre)


def crossing(one: Points, other: Points) -> Crossing | None:
    """Where the lines through both cross inside the sizes they share; the points are paired in order.

    The difference of paired logs is a line; its zero has Fieller's interval (Fieller 1954, J. R. Stat. Soc. B 16): all
    sizes at which a t test does not tell the difference from 0. None where the lines are parallel or cross outside.
    """
    u, a = np.log(np.asarray(one, dtype=float)).T
    other_u, b = np.log(np.asarray(other, dtype=float)).T
    if not np.array_equal(u, other_u):
        raise ValueError("the points of a crossing are paired: their sizes must be the same")
    beta, level, centre, spread, error = _line(u, b - a)
    if beta == 0.0 or not u.min() <= (zero := centre - level / beta) <= u.max():
        return None
    return Crossing(math.exp(zero), _fieller(beta, level, centre, spread, error, len(u)))


def _line(u: Array, v: Array) -> tuple[float, float, float, float, float]:
    """Slope, mean of v, mean of u, Σ(u − ū)², residual sd."""
    centre, level = float(u.mean()), float(v.mean())
    spread = float(((u - centre) ** 2).sum())
    if len(u) < 2 or spread == 0.0:
        raise ValueError("a slope needs two sizes")
    beta = float(((u - centre) * (v - level)).sum() / spread)
    residual = v - level - beta * (u - centre)
    error = math.sqrt(float((residual**2).sum()) / (len(u) - 2)) if len(u) > 2 else math.inf
    return beta, level, centre, spread, error


def _fieller(
    beta: float, level: float, centre: float, spread: float, error: float, n: int
) -> tuple[float, float] | None:
    """Roots w of (level + beta w)² = t² s² (1/n + w²/Σ(u − ū)²), w the distance from the mean log size."""
    if n < 3:
        return None
    ts = (critical(n - 2, LEVEL) * error) ** 2
    a, half_b, c = beta**2 - ts / spread, level * beta, level**2 - ts / n
    inside = half_b**2 - a * c
    if a <= 0.0 or inside < 0.0:
        return None
    root = math.sqrt(inside)
    return math.exp(centre + (-half_b - root) / a), math.exp(centre + (-half_b + root) / a)

"""Whether a sampler's answer is the reference's: the mean, spread, shape and joint distribution of its draws.

Means are judged by Σz² over parameters and reps against what agreement gives; the functions of every group
(`bench.score.functions`) by the least probable one, of any rep alone and of all reps together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import chdtri, gammaincinv

from bench.analysis.columnar import sums
from bench.analysis.tables import CellTables

ALPHA = 1e-4
"""Probability that a healthy cell is flagged by any of these tests."""
SINGLE, POOLED = ("spread", "shape", "joint"), ("mean", "spread", "shape", "joint")
"""Groups judged in each rep by itself, as means are by Σz², and in all reps together."""
LEVEL = ALPHA / (1 + len(SINGLE) + len(POOLED))
"""Of one test (Bonferroni)."""


class Agreement(NamedTuple):
    """Σz² of so many z, and the bounds that it lies in where the answer is the reference's."""

    total: float
    number: float
    low: float
    high: float


def agreement(cell: CellTables) -> Agreement | None:
    """Σz² of a cell with its bounds; None where there is no z to judge by.

    Agreement makes z ~ N(0, R) within a rep, so the cumulants of Σz² are P, 2 tr R² and 8 tr R³, summed over reps.
    The lower bound is that of the scaled χ² with the same mean and variance, the upper that of the shifted one with
    the same skewness too (Imhof 1961): the largest eigenvalue of R rules that tail.
    """
    z = cell.scores("z")
    effective = [dict(zip(*cell.scores(name)[::2], strict=True)) for name in ("z_effective", "z_effective_tail")]
    reps = np.array([rep for rep in np.unique(z.rep) if all(rep in known for known in effective)])
    if not len(reps):
        return None
    kept = np.isin(z.rep, reps)
    square, size = sums(z.rep[kept], z.value[kept] ** 2), sums(z.rep[kept], np.ones(int(kept.sum())))
    first, tail = (np.array([known[rep] for rep in reps]) for known in effective)
    number = float(size.sum())
    second = size**2 / first
    third = float((second**1.5 / tail**0.5).sum())
    low, high = bounds(number, float(second.sum()) * _common(cell, len(reps)), third)
    return Agreement(float(square.sum()), number, low, high)


class Departed(NamedTuple):
    """The least probable function of a group, with its p-value times the number of tests of its kind.

    `rep` is None where it is of all reps together; only then `estimate`, `reference` and `error` are known.
    """

    group: str
    function: str
    p: float
    rep: int | None = None
    estimate: float = math.nan
    reference: float = math.nan
    error: float = math.nan

    @property
    def holds(self) -> bool:
        """Whether agreement would give as much often enough."""
        return self.p > LEVEL


def departed(cell: CellTables) -> Iterator[Departed]:
    """What there is of each group: of all reps together, then of the rep that is the farthest off."""
    numbers = [cell.parts_across(f"judged_{what}") for what in ("estimate", "reference", "error")]
    for group in POOLED:
        for function, p in cell.parts_across(f"p_{group}").items():
            estimate, reference, error = (known.get(function, math.nan) for known in numbers)
            yield Departed(group, function, p, None, estimate, reference, error)
    for group in SINGLE:
        found = cell.by_rep(f"p_{group}")
        if found:
            rep, function, p = min(found, key=lambda one: one[2])
            yield Departed(group, function, p * len(found), rep)


def bounds(first: float, second: float, third: float, level: float = LEVEL) -> tuple[float, float]:
    """Two-sided bounds of Σz² from its cumulants ΣP, Σ tr R² (variance / 2), Σ tr R³ (third cumulant / 8).

    Agreement leaves them with probability `level`, both sides together.
    """
    degrees = first**2 / second
    low = first / degrees * 2.0 * float(gammaincinv(degrees / 2.0, level / 2.0))
    shape = second**3 / third**2
    high = first + math.sqrt(second / shape) * (float(chdtri(shape, level / 2.0)) - shape)
    return low, high


def _common(cell: CellTables, reps: int) -> float:
    """By what factor the reference's own error, the same in every rep of fixed data, raises the variance of Σz²."""
    draws = cell.median("reference_draws")
    ess = cell.median("ess_mean")
    if draws is None or ess is None:
        return 1.0
    return 1.0 + (reps - 1) * (ess / (ess + draws)) ** 2

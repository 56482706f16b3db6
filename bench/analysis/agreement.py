"""Whether a sampler's answer is the reference's: Σz² over parameters and reps against what agreement gives."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import chdtri, gammaincinv

from bench.analysis.columnar import sums
from bench.analysis.tables import CellTables

ALPHA = 1e-4
"""Probability that a healthy cell is flagged, both sides together. Simulation puts it between 0.3 and 5 times that for
2 to 15 reps of up to 20 parameters: the Monte-Carlo errors in z are estimates themselves."""


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


def bounds(first: float, second: float, third: float) -> tuple[float, float]:
    """Two-sided bounds of Σz² from its cumulants ΣP, Σ tr R² (variance / 2), Σ tr R³ (third cumulant / 8)."""
    degrees = first**2 / second
    low = first / degrees * 2.0 * float(gammaincinv(degrees / 2.0, ALPHA / 2.0))
    shape = second**3 / third**2
    high = first + math.sqrt(second / shape) * (float(chdtri(shape, ALPHA / 2.0)) - shape)
    return low, high


def _common(cell: CellTables, reps: int) -> float:
    """By what factor the reference's own error, the same in every rep of fixed data, raises the variance of Σz²."""
    draws = cell.median("reference_draws")
    ess = cell.median("ess_mean")
    if draws is None or ess is None:
        return 1.0
    return 1.0 + (reps - 1) * (ess / (ess + draws)) ** 2

"""Pareto-smoothed importance sampling (Vehtari et al. 2024, arXiv:1507.02646) by ArviZ: smoothed weights and k-hat."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bench.types import Array

USABLE = 0.7
"""Above this k-hat the variance of the estimate is not under control, however many draws there are."""
FEWEST = 5
"""Draws a tail must have for a fit."""
EQUAL = 1e-9
"""Log weights that differ by less are equal: log densities of 10⁴ nats or more are rounded to about that."""


class Smoothed(NamedTuple):
    """Normalised log weights (draw,), smoothed in the tail, and the tail's shape k-hat.

    k-hat is inf where the tail has too few draws, or too many equal ones, to say, −inf where all its weights are equal;
    nothing is smoothed then.
    """

    log_weights: Array
    k_hat: float


def smooth(log_weights: Array) -> Smoothed:
    """Replace the largest weights by quantiles of a generalised Pareto fitted to them; finite log weights (draw,).

    The tail is what exceeds the weight at the place ⌈min(0.2 n, 3√n)⌉ + 1, as in the authors' own code, and what
    exceeds the smallest float64. ArviZ (arviz-stats 0.8) rounds that place down, takes ties with it and weights that
    underflow for tail; `r_eff` tells it how long the tail is, down to about 240 draws.
    """
    shifted = np.asarray(log_weights, dtype=float) - np.max(log_weights)
    n = len(shifted)
    unsmoothed = shifted - log_sum_exp(shifted)
    longest = math.ceil(min(0.2 * n, 3.0 * math.sqrt(n)))
    if not np.ptp(shifted) >= EQUAL:
        return Smoothed(unsmoothed, -math.inf)
    if longest < FEWEST:
        return Smoothed(unsmoothed, math.inf)
    cut = max(float(np.partition(shifted, -longest - 1)[-longest - 1]), math.log(np.finfo(float).tiny))
    tail = shifted[shifted > cut]
    if len(tail) < FEWEST:
        return Smoothed(unsmoothed, math.inf)
    if np.ptp(tail) == 0.0:
        return Smoothed(unsmoothed, -math.inf)
    from arviz_stats.base.array import array_stats  # here: children know the families, and may not import pandas

    smoothed, k_hat = array_stats.psislw(-shifted, r_eff=9.0 * n / (len(tail) + 0.5) ** 2)
    return Smoothed(unsmoothed, math.inf) if math.isnan(k_hat) else Smoothed(smoothed, float(k_hat))


def log_sum_exp(x: Array) -> float:
    """log Σ exp(x)."""
    top = float(np.max(x))
    return top + math.log(float(np.exp(x - top).sum()))

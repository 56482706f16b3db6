"""Pareto-smoothed importance sampling (Vehtari et al. 2024, arXiv:1507.02646): smoothed log weights and their k-hat."""

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

    That is inf where draws are too few to say, −inf where all weights are equal.
    """

    log_weights: Array
    k_hat: float


def smooth(log_weights: Array) -> Smoothed:
    """Replace the largest weights by quantiles of a generalised Pareto fitted to them; finite log weights (draw,)."""
    shifted = np.asarray(log_weights, dtype=float) - np.max(log_weights)
    n = len(shifted)
    size = math.ceil(min(0.2 * n, 3.0 * math.sqrt(n)))  # up, as the authors' own code; arviz-stats 0.8 rounds down
    k_hat = math.inf
    if float(np.ptp(shifted)) < EQUAL:
        k_hat = -math.inf
    elif size >= FEWEST and n > size:
        order = np.argsort(shifted)
        cut = max(float(shifted[order[-size - 1]]), math.log(np.finfo(float).tiny))
        tail = order[shifted[order] > cut]
        if len(tail) >= FEWEST:
            excess = np.exp(shifted[tail]) - math.exp(cut)
            k_hat, scale = fit(excess)
            if math.isfinite(k_hat):
                levels = (np.arange(len(tail)) + 0.5) / len(tail)
                shifted = shifted.copy()
                shifted[tail] = np.minimum(np.log(quantile(levels, k_hat, scale) + math.exp(cut)), 0.0)
    return Smoothed(shifted - log_sum_exp(shifted), k_hat)


def fit(excess: Array) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto for sorted positive excesses (Zhang & Stephens 2009), k shrunk to 0.5."""
    n = len(excess)
    m = 30 + int(math.sqrt(n))
    if not excess[-1] > 0.0:
        return -math.inf, 0.0
    theta = 1.0 / excess[-1] + (1.0 - np.sqrt(m / (np.arange(1, m + 1) - 0.5))) / (3.0 * excess[int(n / 4 + 0.5) - 1])
    k = np.log1p(-theta[:, None] * excess).mean(axis=1)
    profile = n * (np.log(-theta / k) - k - 1.0)
    weight = np.exp(profile - log_sum_exp(profile))
    weight = np.where(weight >= 10 * np.finfo(float).eps, weight, 0.0)
    best = float(weight @ theta / weight.sum())
    shape = float(np.log1p(-best * excess).mean())
    scale = -shape / best
    return (n * shape + 10 * 0.5) / (n + 10), scale


def quantile(p: Array, shape: float, scale: float) -> Array:
    """Quantiles of the generalised Pareto above 0."""
    found: Array = -scale * np.log1p(-p) if shape == 0.0 else scale * np.expm1(-shape * np.log1p(-p)) / shape
    return found


def log_sum_exp(x: Array) -> float:
    """log Σ exp(x)."""
    top = float(np.max(x))
    return top + math.log(float(np.exp(x - top).sum()))

"""Simultaneous bands for the ECDF of ranks (Säilynoja, Bürkner & Vehtari 2022, arXiv:2103.10522), computed exactly.

N ranks among L draws are uniform on 0 … L when all is right. Then S_k, the number of ranks below k, is Binomial(N,
k / (L + 1)) for k = 1 … L, and the statistic is the smallest of its one-sided tail probabilities over all k. Its
distribution is a product over cells of Poisson counts given their total, summed over paths inside the band: positive
terms only, no simulation.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from scipy import special

from bench.types import Array


class Band(NamedTuple):
    """Least and greatest allowed count of ranks below k = 1 … L; the exact chance that uniform ranks stay inside."""

    lower: Array
    upper: Array
    coverage: float


@functools.cache
def band(n: int, draws: int, alpha: float) -> Band:
    """The narrowest band of equal tails that n uniform ranks among `draws` leave with probability at most alpha."""
    tails = _tails(n, draws + 1)
    levels = np.unique(tails)
    low, high = 0, len(levels) - 1  # all counts with a tail above levels[low - 1] are inside often enough
    while low < high:
        middle = (low + high + 1) // 2
        if stays(tails > levels[middle - 1]) >= 1.0 - alpha:
            low = middle
        else:
            high = middle - 1
    inside = tails > levels[low - 1] if low else np.ones(tails.shape, dtype=bool)
    lower, upper = _edges(inside)
    return Band(lower.astype(float), upper.astype(float), stays(inside))


def p_value(ranks: Array, draws: int) -> float:
    """Exact probability that uniform ranks stray as far as these (n,), whole numbers 0 … draws, do.

    At most alpha exactly where `counts` leave `band(n, draws, alpha)`.
    """
    below = counts(ranks, draws).astype(int)
    tails = _tails(len(ranks), draws + 1)
    least = tails[np.arange(draws), below].min()
    return max(0.0, 1.0 - stays(tails > least))


def counts(ranks: Array, draws: int) -> Array:
    """How many ranks (n,) are below k, for k = 1 … draws."""
    return np.cumsum(np.bincount(np.asarray(ranks, dtype=int), minlength=draws + 1))[:-1].astype(float)


@functools.lru_cache(maxsize=4)
def _tails(n: int, cells: int) -> Array:
    """The smaller one-sided tail probability of s ranks below k: (cells − 1, n + 1)."""
    share = np.arange(1, cells)[:, None] / cells
    below = np.asarray(special.bdtr(np.arange(n + 1.0), n, share), dtype=float)
    return np.asarray(np.minimum(below, below[::-1, ::-1]))  # P(S_k ≥ s) = P(S_{cells − k} ≤ n − s), to the last bit


def _edges(inside: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> tuple[Array, Array]:
    """First and last count allowed at each k; where none is, the first is above the last."""
    last = inside.shape[1] - 1
    lower = np.where(inside.any(axis=1), inside.argmax(axis=1), last + 1)
    return lower, last - inside[:, ::-1].argmax(axis=1)


def stays(inside: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], shares: Array | None = None) -> float:
    """Probability that the counts below every k are inside; `shares` (cell,) where ranks are not uniform."""
    lower, upper = _edges(inside)
    if (lower > upper).any():
        return 0.0
    n, cells = inside.shape[1] - 1, len(lower) + 1
    rates, j = n * (np.full(cells, 1.0 / cells) if shares is None else shares), np.arange(n + 1.0)
    factorials = special.gammaln(j + 1.0)
    state, first = np.ones(1), 0
    for low, high, rate in zip(lower, upper, rates[:-1], strict=True):
        most = high - first + 1
        reach = np.convolve(state, np.exp(j[:most] * np.log(rate) - rate - factorials[:most]))
        state, first = reach[low - first : high - first + 1], low
    last = n - first - np.arange(len(state))
    total = np.exp(n * np.log(n) - n - factorials[n])
    return float(state @ np.exp(last * np.log(rates[-1]) - rates[-1] - factorials[last]) / total)

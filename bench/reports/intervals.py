"""Simultaneous intervals for paired ratios of seconds, by resampling rounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit

RESAMPLES = 4000
SEED = 20260101
LEVEL = 0.95


class Ratio(NamedTuple):
    """How many times as long as the leader: estimate, interval, and in how many paired rounds the leader was faster."""

    value: float
    low: float
    high: float
    faster: int
    rounds: int


def paired_ratios(leader: Mapping[int, float], others: Mapping[str, Mapping[int, float]]) -> dict[str, Ratio]:
    """Ratio other / leader with simultaneous 95 % intervals; each mapping is {round: seconds > 0}.

    The estimate is the geometric mean over the rounds both have. Its percentile bootstrap over rounds, at the
    Bonferroni level for all comparisons with the leader (which suffices for claims about the best: Hsu 1984, Annals
    of Statistics 12), is stretched about the estimate by t/z · √(n/(n−1)), because resampling n rounds understates
    the spread by √((n−1)/n) and knows nothing of its own few degrees of freedom. ValueError below two paired rounds.
    """
    tail = (1 - LEVEL) / 2 / max(len(others), 1)
    return {label: _ratio(leader, seconds, tail) for label, seconds in others.items()}


def _ratio(leader: Mapping[int, float], other: Mapping[int, float], tail: float) -> Ratio:
    rounds = sorted(set(leader) & set(other))
    n = len(rounds)
    if n < 2:
        raise ValueError(f"a ratio needs two paired rounds, got {n}")
    log_ratio = np.array([math.log(other[r] / leader[r]) for r in rounds])
    estimate = float(log_ratio.mean())
    picks = np.random.default_rng(SEED).integers(n, size=(RESAMPLES, n))
    low, high = np.quantile(log_ratio[picks].mean(axis=1), [tail, 1 - tail])
    stretch = float(stdtrit(n - 1, tail) / ndtri(tail)) * math.sqrt(n / (n - 1))
    return Ratio(
        value=math.exp(estimate),
        low=math.exp(estimate - stretch * (estimate - float(low))),
        high=math.exp(estimate + stretch * (float(high) - estimate)),
        faster=int((log_ratio > 0).sum()),
        rounds=n,
    )

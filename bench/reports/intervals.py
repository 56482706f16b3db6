"""Simultaneous intervals for paired ratios of seconds, with rounds as the units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

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

    The estimate is the geometric mean over the rounds both have, its interval Student's t over them, at the Bonferroni
    level for all comparisons with the leader (which suffices for claims about the best: Hsu 1984, Annals of Statistics
    12). A percentile bootstrap over so few rounds exceeds its level up to fourfold (tests/benchmarks/compare_power.py).
    ValueError below two paired rounds.
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
    reach = -float(stdtrit(n - 1, tail)) * float(log_ratio.std(ddof=1)) / math.sqrt(n)
    return Ratio(
        value=math.exp(estimate),
        low=math.exp(estimate - reach),
        high=math.exp(estimate + reach),
        faster=int((log_ratio > 0).sum()),
        rounds=n,
    )

"""Simultaneous intervals for ratios of seconds, with rounds as the units: paired within a run, apart between runs."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.95


class Ratio(NamedTuple):
    """How many times as long as the leader: estimate, interval, and in how many paired rounds the leader was faster.

    Between runs nothing is `paired`; `rounds` is then the smaller number of both and `faster` is 0.
    """

    value: float
    low: float
    high: float
    faster: int
    rounds: int
    paired: bool = True


def paired_ratios(
    leader: Mapping[int, float], others: Mapping[str, Mapping[int, float]], *, elsewhere: Collection[str] = ()
) -> dict[str, Ratio]:
    """Ratio other / leader with simultaneous 95 % intervals; each mapping is {round: seconds > 0}.

    The estimate is the geometric mean over the rounds both have, its interval Student's t over them, at the Bonferroni
    level for all comparisons with the leader (which suffices for claims about the best: Hsu 1984, Annals of Statistics
    12). A percentile bootstrap over so few rounds exceeds its level up to fourfold
    (tests/benchmarks/studies/compare_power.py).
    Labels in `elsewhere` are of another run than the leader, whose rounds have nothing to do with its own: Welch's t
    (Biometrika 34, 1947). ValueError below two (paired) rounds.
    """
    tail = (1 - LEVEL) / 2 / max(len(others), 1)
    return {
        label: (_unpaired if label in elsewhere else _ratio)(leader, seconds, tail) for label, seconds in others.items()
    }


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


def _unpaired(leader: Mapping[int, float], other: Mapping[int, float], tail: float) -> Ratio:
    sides = [np.log(np.array([seconds[r] for r in sorted(seconds)])) for seconds in (leader, other)]
    n = min(map(len, sides))
    if n < 2:
        raise ValueError(f"a ratio needs two rounds of each, got {n}")
    estimate = float(sides[1].mean() - sides[0].mean())
    parts = [float(side.var(ddof=1)) / len(side) for side in sides]
    reach = 0.0
    if total := sum(parts):
        freedom = total**2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, sides, strict=True))
        reach = -float(stdtrit(freedom, tail)) * math.sqrt(total)
    return Ratio(math.exp(estimate), math.exp(estimate - reach), math.exp(estimate + reach), 0, n, paired=False)

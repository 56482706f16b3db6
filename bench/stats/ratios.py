"""Simultaneous intervals for ratios of seconds, with rounds as the units: paired within a run, apart between runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from bench.stats.intervals import Estimate, paired, unpaired

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


class Timed(NamedTuple):
    """{round: seconds > 0} of a contender, and the run that these rounds belong to."""

    seconds: Mapping[int, float]
    run: str = ""


def fastest(contenders: Mapping[str, Timed]) -> str:
    """The name with the least seconds, by the same estimate as the ratios; of equal ones the first by name.

    Trimmed means of differences do not add up, so it is the one whose ratio to its strongest rival is least: where one
    is ahead of each of the others, that one.
    """

    def behind(name: str) -> tuple[float, str]:
        one = contenders[name]
        return max((-_change(one, other).effect for k, other in contenders.items() if k != name), default=0.0), name

    return min(contenders, key=behind)


def ratios(leader: Timed, others: Mapping[str, Timed]) -> dict[str, Ratio]:
    """Ratio other / leader with simultaneous 95 % intervals.

    The estimate is the geometric mean over the rounds both have, its interval Student's t over them, at the Bonferroni
    level for all comparisons with the leader (which suffices for claims about the best: Hsu 1984, Annals of Statistics
    12). A percentile bootstrap over so few rounds exceeds its level up to fourfold
    (tests/benchmarks/studies/compare_power.py). From 8 rounds on extreme ones are trimmed, as `unpaired` says.
    Of another run than the leader's, whose rounds have nothing to do with its own: Welch's t. ValueError below two
    (paired) rounds.
    """
    level = 1.0 - (1.0 - LEVEL) / max(len(others), 1)
    return {name: _ratio(leader, other, level) for name, other in others.items()}


def _ratio(leader: Timed, other: Timed, level: float) -> Ratio:
    change = _change(leader, other)
    faster = sum(other.seconds[r] > s for r, s in leader.seconds.items() if r in other.seconds) if change.paired else 0
    value, low, high = map(math.exp, (change.effect, *change.interval(level)))
    return Ratio(value, low, high, faster, min(change.n_a, change.n_b), change.paired)


def _change(one: Timed, other: Timed) -> Estimate:
    """log other − log one."""
    if one.run != other.run:
        sides = [np.log([side.seconds[r] for r in sorted(side.seconds)]) for side in (one, other)]
        if (n := min(map(len, sides))) < 2:
            raise ValueError(f"a ratio needs two rounds of each, got {n}")
        return unpaired(*sides, trim=True)
    shared = sorted(set(one.seconds) & set(other.seconds))
    if len(shared) < 2:
        raise ValueError(f"a ratio needs two paired rounds, got {len(shared)}")
    return paired(np.array([math.log(other.seconds[r] / one.seconds[r]) for r in shared]), trim=True)

"""Estimates of a change with intervals that hold for a few rounds, and the level at which many are read at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from bench.types import Array

MIN_UNITS = 3
"""Rounds (or fits) on each side below which nothing is said: two values have no spread worth the name."""
FALSE_SHARE = 0.05
LEAST_LEVEL = 0.97


class Estimate(NamedTuple):
    """B − A on the scale compared (log for ratios): its standard error, degrees of freedom and units behind it."""

    effect: float
    error: float
    freedom: float
    n_a: int
    n_b: int
    paired: bool

    @property
    def certain(self) -> bool:
        """Every unit gave the same change, as counts of deterministic work do: there is nothing to test."""
        return self.error == 0.0

    @property
    def p_value(self) -> float:
        """Two-sided, of no change."""
        if self.certain:
            return 1.0 if self.effect == 0.0 else 0.0
        return float(2.0 * stdtr(self.freedom, -abs(self.effect) / self.error))

    def interval(self, level: float) -> tuple[float, float]:
        """Student-t interval at this level."""
        reach = 0.0 if self.certain else float(-stdtrit(self.freedom, (1.0 - level) / 2.0)) * self.error
        return self.effect - reach, self.effect + reach


def paired(change: Array) -> Estimate:
    """From the change of each pair of units, (n,): the one-sample t of Student 1908."""
    n = len(change)
    error = 0.0 if np.ptp(change) == 0.0 else float(change.std(ddof=1)) / math.sqrt(n)
    return Estimate(float(change.mean()), error, n - 1.0, n, n, True)


def unpaired(a: Array, b: Array) -> Estimate:
    """From the units of each run, (n_a,) and (n_b,): Welch's t (Biometrika 34, 1947), variances apart.

    Why not the percentile bootstrap over rounds: with sd 0.14 between and 0.08 within children it called identical
    code different at the 5 % level in 19, 12 and 7 % of comparisons of 3, 5 and 10 rounds; bootstrap-t exceeds its
    level with heavy tails, and both end at the extremes of what was seen where many comparisons ask for a high level.
    Welch's t stays below 5 % in all (tests/benchmarks/studies/compare_power.py). What is resampled is the same: rounds.
    """
    effect = float(b.mean() - a.mean())
    parts = [0.0 if np.ptp(x) == 0.0 else float(x.var(ddof=1)) / len(x) for x in (a, b)]
    total = sum(parts)
    if total == 0.0:
        return Estimate(effect, 0.0, math.inf, len(a), len(b), False)
    shares = [(part / total) ** 2 / (len(x) - 1) for part, x in zip(parts, (a, b), strict=True)]
    return Estimate(effect, math.sqrt(total), 1.0 / sum(shares), len(a), len(b), False)


def common_level(p_values: Sequence[float], *, looks: int = 1) -> float:
    """The level of every interval, so that at most 5 % of the differences called are expected to be false.

    With R differences found among m by Benjamini and Hochberg (JRSS B 57, 1995) it is 1 − 0.05·max(R, 1)/m: an
    interval excludes no change exactly where they reject, and the intervals of those found err in 5 % as a share
    (Benjamini and Yekutieli, JASA 100, 2005). Where nothing differs, any call at all has probability 5 %. Never below
    97 %, so that one comparison taken alone is wrong in 3 %, not 5 %. Where the same comparison is looked at several
    times while measuring goes on, each look gets an equal part of the error (Bonferroni).
    """
    share, least = FALSE_SHARE / looks, 1.0 - (1.0 - LEAST_LEVEL) / looks
    ordered = np.sort(np.asarray(p_values, dtype=np.float64))
    m = len(ordered)
    if m == 0:
        return least
    found = np.flatnonzero(ordered <= share * np.arange(1, m + 1) / m)
    return max(least, 1.0 - share * max(int(found[-1]) + 1 if len(found) else 0, 1) / m)

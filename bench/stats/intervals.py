"""Student's t for a mean, a change and a difference of a few rounds, and the level at which many are read at once.

Every interval on seconds is made here, with extreme rounds trimmed from 8 on; ratios, slopes and series stand on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from bench.types import Array

MIN_UNITS = 3
"""Rounds (or fits) on each side below which nothing is said: two values have no spread worth the name."""
TRIMMED_FROM = 8
FALSE_SHARE = 0.05
LEAST_LEVEL = 0.97


def critical(freedom: float, level: float) -> float:
    """How many standard errors an interval at this level reaches to each side."""
    return float(-stdtrit(freedom, (1.0 - level) / 2.0))


class Estimate(NamedTuple):
    """A mean, or B − A, on the scale compared (log for ratios): its standard error, degrees of freedom, units."""

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
        reach = 0.0 if self.certain else critical(self.freedom, level) * self.error
        return self.effect - reach, self.effect + reach


def paired(change: Array, *, trim: bool = False) -> Estimate:
    """From the change of each pair of units, or from those of one run, (n,): Student's t; trimmed as `unpaired`.

    From one value alone there is no interval: its error is 0.
    """
    n = len(change)
    if np.ptp(change) == 0.0:
        return Estimate(float(change[0]), 0.0, n - 1.0, n, n, True)
    center = centered(change, trim=trim)
    return Estimate(center.mean, math.sqrt(center.variance), center.freedom, n, n, True)


def unpaired(a: Array, b: Array, *, trim: bool = False) -> Estimate:
    """From the units of each run, (n_a,) and (n_b,): Welch's t (Biometrika 34, 1947), variances apart.

    With `trim`, for seconds: of 8 units or more a fifth at each end counts as its neighbour (Yuen, Biometrika 61,
    1974). A neighbour on the same core slows a child to 1.5 times its seconds, in bursts that hit 3 to 6 % of children;
    where they do, twice the noise floor is found in 94 to 98 % of comparisons of 10 rounds, by Welch's t in 52 to 69 %.
    The price, where nothing but normal noise of sd 0.14 is: 1.28x is found in 78 %, by Welch's t in 90 %. Scores are
    never trimmed: a fit in ten that fails is what they are to show.

    Why not the percentile bootstrap over rounds: with sd 0.14 between and 0.08 within children it called identical
    code different at the 5 % level in 19, 12 and 7 % of comparisons of 3, 5 and 10 rounds; bootstrap-t exceeds its
    level with heavy tails, and both end at the extremes of what was seen where many comparisons ask for a high level.
    Both t, at 97 %, do so in at most 4 % (all by tests/benchmarks/studies/compare_power.py). What is resampled is the
    same: rounds.
    """
    first, second = centered(a, trim=trim), centered(b, trim=trim)
    effect, total = second.mean - first.mean, first.variance + second.variance
    if total == 0.0:
        return Estimate(effect, 0.0, math.inf, len(a), len(b), False)
    shares = [(c.variance / total) ** 2 / c.freedom for c in (first, second)]
    return Estimate(effect, math.sqrt(total), 1.0 / sum(shares), len(a), len(b), False)


class Center(NamedTuple):
    """A mean, its squared standard error, and the degrees of freedom of that."""

    mean: float
    variance: float
    freedom: float


def cut(n: int) -> int:
    """How many of n values are trimmed at each end: of fewer than 8 none, which would leave too few."""
    return n // 5 if n >= TRIMMED_FROM else 0


def centered(x: Array, *, trim: bool) -> Center:
    """Of values (n,): the mean, or with `trim` the trimmed mean with the winsorised variance of Tukey and McLaughlin.

    Sankhyā A 25, 1963. Where the values that are left are all equal, the variance is of all: it is not 0.
    """
    n, g = len(x), cut(len(x)) if trim else 0
    ordered = np.sort(x)
    kept = ordered[g : n - g]
    if np.ptp(kept) == 0.0:
        g, kept = 0, ordered
    if np.ptp(kept) == 0.0:
        return Center(float(kept[0]), 0.0, n - 1.0)
    h = len(kept)
    variance = float(np.clip(ordered, kept[0], kept[-1]).var(ddof=1))
    return Center(float(kept.mean()), (n - 1) * variance / (h * (h - 1)), h - 1.0)


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
    rejected = np.flatnonzero(ordered <= share * np.arange(1, m + 1) / m)
    return max(least, 1.0 - share * max(int(rejected[-1]) + 1 if len(rejected) else 0, 1) / m)

"""The noise floor: how far apart two contenders must be for their difference to show on this machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import chdtri

from bench.stats.intervals import LEAST_LEVEL, centered, critical, cut
from bench.types import Array

CONFIDENCE = 0.9


class Floor(NamedTuple):
    """Spread of log seconds between and within children, and what it makes of comparisons of so many rounds.

    `between` is the sd of round medians, `within` that of warm reps about their own round's median. Differences below
    `smallest[rounds]` (a ratio minus 1) cannot be told from noise: half the interval of `bench compare`; of twice as
    much nearly all are found. A sd of few rounds may be too small by half, so `smallest` has its upper 90 % limit
    (chi-squared): the fewer rounds were measured, the less is promised.
    """

    between: float
    within: float
    rounds: int
    reps: int
    smallest: dict[int, float]


def floor_of(seconds: Sequence[Sequence[float]], sizes: Sequence[int] = (5, 10, 20)) -> Floor:
    """From warm seconds per round (at least 3 rounds); each compared side is taken to be as noisy as this one.

    ValueError with fewer rounds.
    """
    if len(seconds) < 3:
        raise ValueError(f"{len(seconds)} rounds, at least 3 are needed")
    logs = [np.log(np.asarray(one, dtype=float)) for one in seconds]
    medians = np.array([np.median(one) for one in logs])
    between = float(medians.std(ddof=1))
    rest = np.concatenate([one - np.median(one) for one in logs])
    within = math.sqrt(float(np.square(rest).sum()) / max(1, len(rest) - len(logs)))
    smallest = {n: math.expm1(_half_interval(medians, n)) for n in sizes}
    return Floor(between, within, len(logs), max(len(one) for one in logs), smallest)


def _half_interval(medians: Array, n: int) -> float:
    """Of log seconds, for n rounds a side of a spread like this one's: trimmed as `bench compare` trims them."""
    trim = min(cut(n), cut(len(medians))) > 0
    here = centered(medians, trim=trim)
    left, here_left = (m - 2 * (cut(m) if trim else 0) for m in (n, len(medians)))
    # the error of a mean of n, from that of a mean of as many as were measured
    scale = (n - 1) / (left * (left - 1)) / ((len(medians) - 1) / (here_left * (here_left - 1)))
    at_most = here.variance * here.freedom / float(chdtri(here.freedom, CONFIDENCE))
    return critical(2 * left - 2, LEAST_LEVEL) * math.sqrt(2.0 * at_most * scale)

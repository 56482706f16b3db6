"""Ranks of all data sets → whether each quantity is calibrated, and if not, in which direction it is off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from bench.calibration import bands
from bench.calibration.ranks import LADDER, LEVELS, LOG_LIKELIHOOD
from bench.calibration.trial import Trial
from bench.stats.coverage import Coverage, coverage, interval_score
from bench.types import Array

ALPHA = 0.01
"""Chance that a calibrated cell is called miscalibrated: shared equally by its quantities (Bonferroni)."""
BAND_ALPHA = 0.05
"""Chance that one calibrated quantity leaves the inner band of a picture."""
SHORT = 0.05
"""Share of fits that may have fewer than 2 L effective draws (draws one autocorrelation time apart are alike still)."""
NOTABLE = 2.0
"""Standard errors from which a departure of the ranks' location or spread gives a miscalibration its name."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """One scalar over all fitted data sets: its ranks (data set,), and the exact p-value of the band test.

    `words` say how it is off, empty where it is not. `width` and `score` are means of the 90 % interval, in the
    quantity's unit; `coverage` is in the order of LEVELS.
    """

    name: str
    ranks: Array
    p_value: float
    words: str
    coverage: tuple[Coverage, ...]
    width: float
    score: float

    @property
    def outside(self) -> bool:
        """Whether its ranks leave the band."""
        return bool(self.words)


@dataclass(frozen=True, slots=True)
class Ranked:
    """All quantities of a cell, ranked among the same number of `draws`.

    `enough`: fits have the effective draws that takes; `short` of them have not. `inner` is the band of one quantity,
    `outer` that of the verdict. `coverage` is the mean over parameters.
    """

    quantities: tuple[Quantity, ...]
    draws: int
    enough: bool
    short: int
    inner: bands.Band
    outer: bands.Band
    coverage: tuple[Coverage, ...]

    @property
    def outside(self) -> tuple[Quantity, ...]:
        """Those that left their band."""
        return tuple(q for q in self.quantities if q.outside)


def rank_all(good: Sequence[Trial]) -> Ranked:
    """Judge the quantities of fits that ended ok."""
    draws, enough = ranked_among(good)
    names = list(good[0].placed)
    return Ranked(
        quantities=tuple(_quantity(name, good, draws, ALPHA / len(names)) for name in names),
        draws=draws,
        enough=enough,
        short=sum(t.ess < 2 * draws for t in good),
        inner=bands.band(len(good), draws, BAND_ALPHA),
        outer=bands.band(len(good), draws, ALPHA / len(names)),
        coverage=_mean_coverage(good),
    )


def ranked_among(good: Sequence[Trial]) -> tuple[int, bool]:
    """The largest L of the ladder that all but a few fits can fill twice with effective draws, and True.

    Where there is none: the smallest, and False.
    """
    possible = [size for size in LADDER if all(size <= t.draws for t in good)]
    for size in possible:
        if sum(t.ess < 2 * size for t in good) <= SHORT * len(good):
            return size, True
    return (possible or LADDER)[-1], False


def direction(ranks: Array, draws: int) -> str:
    """How ranks that are not uniform are off, by mean and spread of their normal scores.

    Of a Normal posterior that is only shifted these have spread 1, of one that is only too narrow mean 0. The lesser
    departure is named too where it is at least half the greater.
    """
    n = len(ranks)
    grid = special.ndtri((np.arange(draws + 1) + 0.5) / (draws + 1))
    second, fourth = float(np.mean(grid**2)), float(np.mean(grid**4))
    scores = grid[np.asarray(ranks, dtype=int)]
    shift = float(scores.mean()) / math.sqrt(second / n)
    spread = (float(scores.var()) - second) / math.sqrt((fourth - second**2) / n)
    names = [
        (abs(shift), "biased low" if shift > 0 else "biased high"),
        (abs(spread), "too narrow" if spread > 0 else "too wide"),
    ]
    least = max(NOTABLE, abs(shift) / 2.0, abs(spread) / 2.0)
    return " and ".join(name for size, name in sorted(names, reverse=True) if size >= least) or "of another shape"


def _quantity(name: str, good: Sequence[Trial], draws: int, alpha: float) -> Quantity:
    at, ninety = LADDER.index(draws), LEVELS.index(0.9)
    placed = [t.placed[name] for t in good]
    ranks = np.array([p.ranks[at] for p in placed], dtype=float)
    truth, low, high = (np.array([getattr(p, k) for p in placed]) for k in ("truth", "low", "high"))
    p_value = bands.p_value(ranks, draws)
    return Quantity(
        name=name,
        ranks=ranks,
        p_value=p_value,
        words=direction(ranks, draws) if p_value <= alpha else "",
        coverage=tuple(coverage(level, held) for level, held in zip(LEVELS, _held(good, name).T, strict=True)),
        width=float((high - low)[:, ninety].mean()),
        score=float(interval_score(low[:, ninety], high[:, ninety], truth, 0.9).mean()),
    )


def _held(good: Sequence[Trial], name: str) -> Array:
    """1 where the interval of each level holds the truth, (data set, level)."""
    return np.array([t.placed[name].held() for t in good], dtype=float)


def _mean_coverage(good: Sequence[Trial]) -> tuple[Coverage, ...]:
    """Over the parameters, the log likelihood apart."""
    names = [name for name in good[0].placed if name != LOG_LIKELIHOOD]
    held = np.mean([_held(good, name) for name in names], axis=0)
    return tuple(coverage(level, share) for level, share in zip(LEVELS, held.T, strict=True))

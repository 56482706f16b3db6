"""One fit's judged functions: running means, effective draws; and how far reps together are from the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench.score.functions import GROUPS, Functions, Moments
from bench.stats.departures import p_values
from bench.stats.effective import FEWEST, ess, split
from bench.types import Array, Arrays

CERTAIN = 1e-6
"""p-value below which the worst pair of scalars is named rather than a direction, which says less to a reader."""
POINTS = 30
"""Draw counts at which an MCMC fit is looked at, log-spaced."""


@dataclass(frozen=True)
class Judged:
    """Means of the standardised functions over the first draws of all chains at some counts: (point, function).

    `effective` (function,) is NaN for a fit without chains.
    """

    running: Array
    effective: Array

    @property
    def mean(self) -> Array:
        """Over all draws."""
        return np.asarray(self.running[-1])


class Deviations(NamedTuple):
    """Of one fit from the reference: what the gates of samplers need of it, each (function,)."""

    labels: Sequence[str]
    names: Sequence[str]
    mean: Array
    effective: Array
    draws: int
    moments: Moments


class Departure(NamedTuple):
    """The least probable function of a group: its p-value times the number of functions, and what is shown of it."""

    group: str
    label: str
    p: float
    estimate: float
    reference: float
    error: float


def counts(n: int) -> Array:
    """Draws per chain at the points of a curve."""
    return np.unique(np.geomspace(min(2, n), n, POINTS).round()).astype(float)


def judge(functions: Functions, draws: Arrays, shape: tuple[int, int], *, chains: bool) -> Judged:
    """Of draws {parameter: (chain, draw, *shape)}, `shape` (chain, draw)."""
    at = counts(shape[1]).astype(int)
    running = np.empty((len(at), len(functions)))
    effective = np.full(len(functions), np.nan)
    for block in functions.blocks(draws):
        place = slice(block.first, block.first + block.values.shape[-1])
        running[:, place] = np.cumsum(block.values.mean(axis=0), axis=0)[at - 1] / at[:, None]
        if chains and shape[1] >= FEWEST:
            effective[place] = ess(split(np.ascontiguousarray(np.moveaxis(block.values, -1, 0))))
    return Judged(running, effective)


def departures(fits: Sequence[Deviations], *, shared: bool) -> list[Departure]:
    """The worst function of each group over fits of a cell, whose deviations are averaged.

    A constant bias stays while the Monte-Carlo error shrinks, so more reps find more. Fits of one data set share the
    error of its reference; those of data sets of their own do not. Deviations are not weighted: where few effective
    draws go with large values, a weighted mean is biased.
    """
    reps, m = len(fits), fits[0].moments
    size = min(len(fit.mean) for fit in fits)  # the log likelihood, which some data sets may lack, comes last
    mean = np.mean([fit.mean[:size] for fit in fits], axis=0)
    effective = np.array([fit.effective[:size] for fit in fits])
    sampling = (1.0 / effective).sum(axis=0) / reps**2
    own = np.mean([fit.moments.own_error[:size] for fit in fits], axis=0) / (1 if shared else reps)
    skewness = np.mean([fit.moments.skewness[:size] for fit in fits], axis=0)
    share = np.mean([fit.effective[:size] / fit.draws for fit in fits], axis=0)
    variance = sampling + own
    skew = skewness * np.sqrt(sampling) * (sampling / variance) ** 1.5 * _slow(share)
    p = p_values(mean, variance, skew, np.minimum(effective, [[fit.draws] for fit in fits]).sum(axis=0))
    labels = [
        a if all(a == fit.labels[i] for fit in fits) else fits[0].names[i] for i, a in enumerate(fits[0].labels[:size])
    ]
    found = []
    for i, name in enumerate(GROUPS):
        places = np.flatnonzero(m.group[:size] == i)
        if not len(places):
            continue
        count = len(places)
        pairs = [place for place in places if labels[place].startswith("correlation")]
        if pairs and p[pairs].min() * len(places) < CERTAIN:
            places = np.array(pairs)
        worst = places[np.lexsort((-np.abs(mean[places]), p[places]))[0]]
        reference = float(np.mean([fit.moments.reference[worst] for fit in fits]))
        scale = float(np.mean([fit.moments.scale[worst] for fit in fits]))
        estimate, error = reference + scale * float(mean[worst]), abs(scale) * float(np.sqrt(variance[worst]))
        if m.square[worst]:  # a mean square, shown as the spread it is of
            estimate, reference = max(estimate, 0.0) ** 0.5, max(reference, 0.0) ** 0.5
            error /= 2.0 * max(reference, 1e-300)
        found.append(Departure(name, labels[worst], min(float(p[worst]) * count, 1.0), estimate, reference, error))
    return found


def _slow(share: Array) -> Array:
    """By what factor autocorrelation raises the skewness of a mean above that of as many independent draws.

    1 for independent draws, 3/2 for slow autoregressive ones: Σ λ³/(Σ λ²)^1.5 of their covariance.
    """
    return np.asarray(1.5 - 0.5 * np.clip(share, 0.0, 1.0))

"""Quantities a family derives from its parameters, and new observations at new inputs: the fit's beside the exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from bench.protocols import DerivedReference, PredictiveReference
from bench.score import chains
from bench.score.predictive import mixture_cdf, predictive_mean, thinned
from bench.score.problem import Problem, Row, Scored, rows
from bench.types import Array, Arrays, Parameter

INTERVAL = np.array([0.025, 0.975])
HALVINGS = 64
"""Of the bracket around a predictive quantile: 2⁻⁶⁴ of it is below the rounding of a float64 in it."""


def derived_rows(scored: Scored) -> Iterator[Row]:
    """Mean, sd, interval and ESS of each derived quantity, then the interval of a new observation at each new input.

    Parts are `mu_diff`, `prediction[0]`, …; an event has a mean only, its probability; a point has a mean only.
    """
    for name, values in scored.problem.family.derived(scored.problem.data, scored.fit.draws).items():
        event, numbers = values.dtype == np.bool_, np.asarray(values, dtype=float)
        parts = Parameter(name, numbers.shape[2:]).parts()
        scalars = numbers.reshape(*numbers.shape[:2], len(parts))
        yield from _summary(parts, scalars.reshape(-1, len(parts)).T, spread=not event and scored.fit.kind != "point")
        if scored.fit.kind == "mcmc" and numbers.shape[1] >= chains.MIN_DRAWS:
            yield from rows("derived_ess_bulk", parts, chains.Diagnostics(scalars).ess_bulk)
    yield from _exact(scored)
    if scored.fit.kind != "point":
        yield from _predictive(scored)


def _summary(parts: list[str], flat: Array, *, spread: bool) -> Iterator[Row]:
    """Of values (part, draw)."""
    yield from rows("derived_mean", parts, flat.mean(axis=1))
    if spread and flat.shape[1] > 1:
        yield from rows("derived_sd", parts, flat.std(axis=1, ddof=1))
        low, high = np.quantile(flat, INTERVAL, axis=1)
        yield from rows("derived_q025", parts, low)
        yield from rows("derived_q975", parts, high)


def _exact(scored: Scored) -> Iterator[Row]:
    reference: object = scored.problem.reference
    if not isinstance(reference, DerivedReference):
        return
    for name, exact in reference.derived().items():
        parts = Parameter(name, np.shape(exact.mean)).parts()
        for field, values in exact._asdict().items():
            if values is not None and (field == "mean" or scored.fit.kind != "point"):
                yield from rows(f"derived_{field}_exact", parts, values)


def _predictive(scored: Scored) -> Iterator[Row]:
    """The central 95 % interval of a new observation at each new input."""
    new = scored.problem.data.predict
    reference: object = scored.problem.reference
    if not new:
        return
    quantiles = {"": predictive_quantiles(scored.problem, thinned(scored), new, INTERVAL)}
    if isinstance(reference, PredictiveReference):
        quantiles["_exact"] = reference.predictive(INTERVAL)["prediction"]
    for suffix, (low, high) in quantiles.items():
        parts = Parameter("prediction", low.shape).parts()
        yield from rows(f"predictive_q025{suffix}", parts, low)
        yield from rows(f"predictive_q975{suffix}", parts, high)


def _beyond(cdf: Callable[[Array], Array], centre: Array, level: float, sign: float) -> Array:
    """A point on that side of each quantile: the distance from the centre doubles until it is."""
    distance = np.maximum(1.0, np.abs(centre))
    for _ in range(1024):  # beyond which no float64 lies
        at = centre + sign * distance
        short = sign * (cdf(at) - level) < 0.0
        if not short.any():
            return at
        distance = np.where(short, 2.0 * distance, distance)
    raise FloatingPointError(f"no predictive quantile at {level:g}: the distribution function never reaches it")


def predictive_quantiles(problem: Problem, draws: Arrays, new: Arrays, p: Array) -> Array:
    """Quantiles p (k,) of a new observation at inputs of m rows, over draws {name: (…, *shape)}: (k, m).

    Roots of the mean over draws of P(Y ≤ y | draw), so that no noise is added by drawing Y; found by bisection.
    """
    centre, cdf = predictive_mean(problem, draws, new), mixture_cdf(problem, draws, new)
    quantiles = np.empty((len(p), len(centre)))
    for i, level in enumerate(p):
        low, high = (_beyond(cdf, centre, float(level), sign) for sign in (-1.0, 1.0))
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            below = cdf(middle) < level
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        quantiles[i] = 0.5 * (low + high)
    return quantiles

"""Against the scenario's truth and its hold-out rows: shown beside the error, never used to rank."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import logsumexp

from bench.metrics.problem import Row, Scored
from bench.types import Array

LOCATIONS = ("weights", "bias", "mu")
"""Parameters that recovery_rmse is taken over: a plug-in sigma would mix units."""


def recovery_rows(scored: Scored) -> Iterator[Row]:
    """Errors and coverage against the truth, and predictions; nothing where the scenario states no truth."""
    data = scored.problem.data
    mean, _ = scored.answer
    flat = scored.draws.reshape(-1, len(mean))
    errors: dict[str, Array] = {}
    at = 0
    for p in data.parameters:
        block = slice(at, at + p.size)
        at += p.size
        if p.name not in data.truth:
            continue
        truth = np.asarray(data.truth[p.name], dtype=float).reshape(p.size)
        errors[p.name] = mean[block] - truth
        for part, error in zip(p.parts(), errors[p.name], strict=True):
            yield Row("recovery_error", part, float(error))
        if scored.fit.kind != "point":
            low, high = np.quantile(flat[:, block], [0.05, 0.95], axis=0)
            for part, a, b, true in zip(p.parts(), low, high, truth, strict=True):
                yield Row("covered_90", part, float(a <= true <= b))
                yield Row("width_90", part, float(b - a))
            for part, z in zip(p.parts(), _ratio(errors[p.name], scored.sd[block]), strict=True):
                yield Row("recovery_z", part, float(z))
        for part, value in zip(p.parts(), crps(flat[:, block], truth), strict=True):
            yield Row("crps", part, float(value))
    located = [e for name, e in errors.items() if name in LOCATIONS]
    if located:
        yield Row("recovery_rmse", "", _rms(np.concatenate(located)))
        if scored.problem.reference is not None:
            exact = [
                np.ravel(scored.problem.reference.mean[name] - data.truth[name]) for name in errors if name in LOCATIONS
            ]
            yield Row("recovery_rmse_exact", "", _rms(np.concatenate(exact)))
    yield from _predictive(scored)


def crps(draws: Array, truth: Array) -> Array:
    """Continuous ranked probability score of the empirical distribution: (draw, scalar), (scalar,) → (scalar,).

    E|X − truth| − E|X − X'|/2, the second from the sorted draws (Gneiting & Raftery 2007); |error| for one draw.
    """
    n = len(draws)
    weights = (2.0 * np.arange(1, n + 1) - n - 1.0) / n**2
    score: Array = np.abs(draws - truth).mean(axis=0) - weights @ np.sort(draws, axis=0)
    return score


def _ratio(error: Array, sd: Array) -> Array:
    """error / sd, NaN where nothing is spread."""
    return np.divide(error, sd, out=np.full_like(error, np.nan), where=sd > 0.0)


def _predictive(scored: Scored) -> Iterator[Row]:
    data, family, holdout = scored.problem.data, scored.problem.family, scored.problem.data.holdout
    if "y" in holdout:
        error = _predicted(scored, {k: v for k, v in holdout.items() if not k.endswith("_outside")}) - holdout["y"]
        yield Row("predictive_mae", "", float(np.abs(error).mean()))
        yield Row("predictive_mse", "", float(np.mean(error**2)))
        yield Row("predictive_rmse", "", _rms(error))
        if scored.fit.kind != "point":
            log_p = family.log_likelihood(data, thinned(scored), holdout).reshape(-1, len(error))
            pointwise = logsumexp(log_p, axis=0) - np.log(len(log_p))
            yield Row("elpd", "", float(pointwise.sum()))
            yield Row("elpd_se", "", float(np.sqrt(len(pointwise) * pointwise.var())))
            below = family.observation_cdf(data, thinned(scored), holdout).reshape(-1, len(error)).mean(axis=0)
            yield Row("predictive_coverage_95", "", float(np.mean((below >= 0.025) & (below <= 0.975))))
    if "y_outside" in holdout:
        outside = {k.removesuffix("_outside"): v for k, v in holdout.items() if k.endswith("_outside")}
        error = _predicted(scored, outside) - outside["y"]
        yield Row("predictive_mae_outside", "", float(np.abs(error).mean()))
        yield Row("predictive_mse_outside", "", float(np.mean(error**2)))
        yield Row("predictive_rmse_outside", "", _rms(error))


def _predicted(scored: Scored, arrays: dict[str, Array]) -> Array:
    """Mean over draws of the expected observation: (n,)."""
    predicted = scored.problem.family.predict(scored.problem.data, thinned(scored), arrays)
    mean: Array = predicted.reshape(-1, predicted.shape[-1]).mean(axis=0)
    return mean


def thinned(scored: Scored) -> dict[str, Array]:
    """At most 2000 draws, evenly spread: their Monte-Carlo error is far below that of the hold-out's size."""
    step = max(1, scored.draws.shape[0] * scored.draws.shape[1] // 2000)
    return {name: np.asarray(array)[:, ::step] for name, array in scored.fit.draws.items()}


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))

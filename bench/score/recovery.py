"""Against the scenario's truth: shown beside the error, never used to rank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bench.data import blocks
from bench.score.problem import Row, Scored, rows
from bench.stats.coverage import interval_score
from bench.types import Array

LOCATIONS = ("weights", "bias", "mu")
"""Parameters that recovery_rmse is taken over: a plug-in sigma would mix units."""


def recovery_rows(scored: Scored) -> Iterator[Row]:
    """Errors and coverage against the truth, nothing where the scenario states none; contraction from the prior."""
    data = scored.problem.data
    mean, _ = scored.answer
    flat = scored.draws.reshape(-1, len(mean))
    errors: dict[str, Array] = {}
    for p, block in blocks(data.parameters):
        if p.name not in data.truth:
            continue
        parts = p.parts()
        truth = np.asarray(data.truth[p.name], dtype=float).reshape(p.size)
        errors[p.name] = error = mean[block] - truth
        yield from rows("recovery_error", parts, error)
        yield from rows("recovery_relative_error", parts, _ratio(error, np.abs(truth)))
        if scored.fit.kind != "point":
            low, high = np.quantile(flat[:, block], [0.05, 0.95], axis=0)
            yield from rows("covered_90", parts, (low <= truth) & (truth <= high))
            yield from rows("width_90", parts, high - low)
            yield from rows("interval_score_90", parts, interval_score(low, high, truth, 0.9))
            yield from rows("recovery_z", parts, _ratio(error, scored.sd[block]))
        yield from rows("crps", parts, crps(flat[:, block], truth))
    located, reference = [name for name in errors if name in LOCATIONS], scored.problem.reference
    if located:
        rmse = _rms([errors[name] for name in located])
        yield Row("recovery_rmse", "", rmse)
        if reference is not None:
            exact = _rms([np.ravel(reference.mean[name] - data.truth[name]) for name in located])
            yield Row("recovery_rmse_exact", "", exact)
            yield Row("recovery_rmse_excess", "", rmse - exact)
    if scored.fit.kind != "point":
        yield from _contraction(scored)


def _contraction(scored: Scored) -> Iterator[Row]:
    """1 − posterior variance / prior variance, where the prior has one."""
    problem = scored.problem
    prior = problem.flat(problem.family.prior_variance(problem.data))
    for part, sd, variance in zip(problem.parts, scored.sd, prior, strict=True):
        if 0.0 < variance < np.inf:
            yield Row("contraction", part, 1.0 - float(sd**2 / variance))


def crps(draws: Array, truth: Array) -> Array:
    """Continuous ranked probability score of the empirical distribution: (draw, scalar), (scalar,) → (scalar,).

    E|X − truth| − E|X − X'|/2, the second from the sorted draws (Gneiting & Raftery 2007); |error| for one draw.
    """
    n = len(draws)
    weights = (2.0 * np.arange(1, n + 1) - n - 1.0) / n**2
    return np.asarray(np.abs(draws - truth).mean(axis=0) - weights @ np.sort(draws, axis=0))


def _ratio(error: Array, sd: Array) -> Array:
    """error / sd, NaN where that is 0."""
    return np.divide(error, sd, out=np.full_like(error, np.nan), where=sd > 0.0)


def _rms(errors: Sequence[Array]) -> float:
    return float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))

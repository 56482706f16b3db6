"""Error against the reference posterior: the primary axis."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.data import blocks
from bench.score.agreement import agreement
from bench.score.judged import departures
from bench.score.marginals import LEVELS
from bench.score.problem import EDGES, Problem, Row, Scored, rows
from bench.score.squares import b2, b2_parts, judged_b2, judged_parts
from bench.types import Array

MASSES = (0.5, 0.9, 0.95)


def error_rows(scored: Scored) -> Iterator[Row]:
    """b², standardised errors, interval mass, Wasserstein distance, and z; nothing without a reference."""
    problem = scored.problem
    if problem.reference is None:
        return
    (mean, sd), (m, s, _), parts = scored.answer, problem.moments, problem.parts
    squared = b2(mean, sd, problem.moments)
    yield from rows("b2", b2_parts(parts), squared)
    yield Row("b2_avg", "", float(squared.mean()))
    if scored.judged is not None:
        judged = judged_b2(problem.functions, scored.judged.running[-1:])[0]
        yield from rows("b2", judged_parts(problem.functions, parts), judged)
        yield Row("b2_shape", "", float(judged[: len(parts)].max()))
        if len(judged) > len(parts):
            yield Row("b2_joint", "", float(judged[len(parts) :].max()))
            yield Row("joint_reference_draws", "", problem.functions.own_draws)
        squared = np.concatenate([squared, judged])
    yield Row("b2_max", "", float(squared.max()))
    if np.isfinite(problem.reference.n_effective):
        yield Row("reference_draws", "", float(problem.reference.n_effective))
    yield from rows("mean_error_sd", parts, (mean - m) / s)
    flat = scored.draws.reshape(-1, len(m))
    distance = _distance(np.quantile(flat, LEVELS, axis=0), scored)
    yield from rows("wasserstein_1", parts, distance)
    if scored.fit.kind == "point":
        return
    effective = float(len(flat)) if scored.diagnostics is None else scored.diagnostics.ess_bulk
    with np.errstate(divide="ignore"):
        yield Row("w1_excess", "", float(np.max(distance / expected_distance(scored.problem, effective))))
    yield from rows("wasserstein_1_iid", parts, _distance(problem.iid_quantiles(len(flat)), scored))
    with np.errstate(divide="ignore"):
        yield from rows("sd_ratio_log", parts, np.log(scored.sd / s))
    yield from _masses(scored, flat)
    yield from _edges(scored, np.quantile(flat, EDGES, axis=0))
    if scored.diagnostics is not None:
        yield from _agreement(scored, s / np.sqrt(problem.reference.n_effective))
    if scored.deviations is not None:
        for worst in departures([scored.deviations], shared=True):
            yield Row(f"p_{worst.group}", worst.label, worst.p)


def _agreement(scored: Scored, of_reference: Array) -> Iterator[Row]:
    """z of every scalar that moves, and what its sum of squares is to be judged by."""
    assert scored.diagnostics is not None
    z = (scored.answer[0] - scored.problem.moments[0]) / np.hypot(scored.diagnostics.mcse_mean, of_reference)
    yield from rows("z", scored.problem.parts, z)
    yield Row("rms_z", "", float(np.sqrt(np.mean(z**2))))
    moving = np.isfinite(z)
    if moving.any():
        freedom = agreement(scored.draws[..., moving])
        yield Row("z_effective", "", freedom.effective)
        yield Row("z_effective_tail", "", freedom.tail)


def _distance(quantiles: Array, scored: Scored) -> Array:
    """W1 in reference sds: the mean distance of quantile functions."""
    return np.asarray(np.abs(quantiles - scored.problem.quantiles).mean(axis=0) / scored.problem.moments[1])


def expected_distance(problem: Problem, draws: Array | float) -> Array:
    """W1 in reference sds that so many independent draws of the reference have on average, (scalar,).

    √(2/π)·√(p(1 − p))·Q'(p)/√draws, averaged over LEVELS: a sample quantile is normal about Q(p) (del Barrio, Giné &
    Matrán 1999, doi:10.1214/aop/1022677394).
    """
    slope = np.gradient(problem.quantiles, LEVELS, axis=0)
    spread = np.sqrt(2.0 / np.pi * LEVELS * (1.0 - LEVELS))
    return np.asarray((spread[:, None] * slope).mean(axis=0) / np.sqrt(draws) / problem.moments[1])


def _edges(scored: Scored, quantiles: Array) -> Iterator[Row]:
    """Where central intervals of 50 and 90 % end, of the answer and of the reference."""
    m, s, _ = scored.problem.moments
    for whose, edges in (("", quantiles), ("reference_", scored.problem.edges)):
        for p, values in zip(EDGES, (edges - m) / s, strict=True):
            yield from rows(f"{whose}q{100 * p:02.0f}_sd", scored.problem.parts, values)


def _masses(scored: Scored, flat: Array) -> Iterator[Row]:
    """Reference probability of the central intervals of the draws."""
    reference = scored.problem.reference
    assert reference is not None
    for mass in MASSES:
        for p, block in blocks(scored.problem.data.parameters):
            edges = np.quantile(flat[:, block], [(1 - mass) / 2, (1 + mass) / 2], axis=0)
            inside = np.diff(reference.cdf(p.name, edges.reshape(2, *p.shape)), axis=0).reshape(p.size)
            for part, value in zip(p.parts(), inside, strict=True):
                yield Row(f"mass_{mass * 100:.0f}", part, float(value))
                yield Row(f"mass_{mass * 100:.0f}_error", part, float(value) - mass)

"""How far a point estimate is from the optimum of its own objective: convergence, checked from outside."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench import chunks
from bench.errors import NoReference
from bench.score.problem import Problem, Row, Scored
from bench.types import Arrays


def optimum_rows(scored: Scored) -> Iterator[Row]:
    """Gap in nats, largest distance in posterior sd, and for least squares the gap of the mean squared error."""
    objective, problem = scored.fit.stats.get("objective"), scored.problem
    if scored.fit.kind != "point" or not isinstance(objective, str):
        return
    point = {name: np.asarray(array, dtype=float)[0, 0] for name, array in scored.fit.draws.items()}
    try:
        best, least = problem.optimum(objective)
    except NoReference:  # an objective without a least value has no gap
        return
    yield Row("optimality_gap", "", problem.family.objective(problem.data, objective, point) - least)
    if problem.reference is not None:
        distance = [np.abs(point[name] - best[name]) / problem.reference.sd[name] for name in best if name in point]
        yield Row("optimum_distance_sd", "", max(float(np.max(d)) for d in distance))
    if objective == "least_squares" and "y" in problem.data.arrays:
        yield Row("mean_loss_gap", "", _mean_loss(problem, point) - _mean_loss(problem, best))


def _mean_loss(problem: Problem, at: Arrays) -> float:
    """The mean of squared differences between expected observations and those of the data."""
    data, total = problem.data, 0.0
    for part in chunks.each(data.arrays, data.chunk_rows):
        total += float(np.square(problem.family.predict(data, at, part) - part["y"]).sum())
    return total / len(data.arrays["y"])

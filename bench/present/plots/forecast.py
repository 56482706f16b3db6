"""The posterior predictive distribution of new observations, from a family's own likelihood."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from bench.errors import UsageError
from bench.present.plots.subject import Subject
from bench.score.problem import Problem
from bench.types import Array, Arrays

DRAWS = 400
OFFSETS = np.sinh(np.linspace(-6.0, 6.0, 241)) / np.sinh(6.0)
"""Places within [−1, 1] at which a predictive density is computed, dense in the middle: tails may be heavy."""


class Forecast(NamedTuple):
    """Predictive mean and the ends of the central 95 % interval of each new observation, each (n,)."""

    mean: Array
    low: Array
    high: Array


def thinned(subject: Subject) -> dict[str, Array]:
    """About DRAWS draws of all chains, evenly spread, {name: (m, *shape)}."""
    found = {}
    for name, array in subject.scored.fit.draws.items():
        flat = np.asarray(array, dtype=float).reshape(-1, *np.shape(array)[2:])
        found[name] = flat[:: max(1, len(flat) // DRAWS)]
    return found


def forecast(problem: Problem, draws: Arrays, held: Arrays) -> Forecast:
    """The mixture over draws {name: (m, *shape)} at the inputs of `held`; UsageError if y is not continuous.

    The density of y is the mean over draws of the family's likelihood, and its quantiles come from the trapezoid rule:
    no noise of simulated observations, and no assumption on their law.
    """
    mean = problem.family.predict(problem.data, draws, held).reshape(-1, len(held["y"])).mean(axis=0)
    scale = float(np.std(problem.data.arrays["y"])) or 1.0
    for reach in scale * 2.0 ** np.arange(-10, 40):
        low, middle, high = _density(problem, draws, held, mean, np.array([-reach, 0.0, reach]))
        if (np.maximum(low, high) <= 1e-6 * middle).all():
            break
    at = reach * OFFSETS
    density = _density(problem, draws, held, mean, at)
    cells = np.diff(at)[:, None] * (density[1:] + density[:-1]) / 2.0
    cumulative = np.vstack([np.zeros_like(mean), np.cumsum(cells, axis=0)])
    # 1 %: three times what the trapezoid rule loses on the narrowest normal that the reach above can leave
    if not (np.abs(cumulative[-1] - 1.0) < 0.01).all():
        raise UsageError(f"predictive: the family {problem.data.family} gives y no density that integrates to 1 here")
    ends = np.array([np.interp([0.025, 0.975], column / column[-1], at) for column in cumulative.T])
    return Forecast(mean, mean + ends[:, 0], mean + ends[:, 1])


def _density(problem: Problem, draws: Arrays, held: Arrays, centre: Array, at: Array) -> Array:
    """Predictive density of centre + offset: (k,) offsets → (k, n)."""
    rows = []
    for offset in at:
        log_p = problem.family.log_likelihood(problem.data, draws, {**held, "y": centre + offset})
        rows.append(logsumexp(log_p.reshape(-1, len(centre)), axis=0) - np.log(len(log_p)))
    density: Array = np.exp(np.array(rows))
    return density

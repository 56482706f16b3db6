"""The posterior predictive distribution of new observations, from a family's own law."""

from __future__ import annotations

from typing import NamedTuple

from bench.errors import UsageError
from bench.score.derived import INTERVAL, predictive_quantiles
from bench.score.predictive import predictive_mean
from bench.score.problem import Problem
from bench.types import Array, Arrays

DRAWS = 400
"""Draws that a picture's intervals are mixed of."""


class Forecast(NamedTuple):
    """Predictive mean and the ends of the central 95 % interval of each new observation, each (n,)."""

    mean: Array
    low: Array
    high: Array


def forecast(problem: Problem, draws: Arrays, held: Arrays) -> Forecast:
    """The mixture over draws {name: (…, *shape)} at the inputs of `held`; UsageError if y is not continuous."""
    if problem.family.discrete(problem.data):
        raise UsageError(f"predictive: the family {problem.data.family} gives y no density that integrates to 1 here")
    return Forecast(predictive_mean(problem, draws, held), *predictive_quantiles(problem, draws, held, INTERVAL))

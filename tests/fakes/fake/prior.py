"""Draws from the prior, as if nothing had been observed: calibrated in every parameter, and useless."""

from dataclasses import dataclass

import numpy as np

from bench.data import family
from bench.types import Fit

KIND = "mcmc"


@dataclass(frozen=True)
class Options:
    """Nothing to set."""


def build(data, budget, options, place):
    return budget


def fit(budget, data, seed, clock):
    rng = np.random.default_rng(seed)
    with clock("sample"):
        drawn = [family(data.family).prior_predictive(data, rng)[0] for _ in range(budget.chains * budget.draws)]
    size = (budget.chains, budget.draws)
    return {p.name: np.array([d[p.name] for d in drawn]).reshape(*size, *p.shape) for p in data.parameters}


def draw(state):
    return Fit("mcmc", state)

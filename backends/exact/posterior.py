"""Independent draws from the family's exact posterior: what accuracy costs when the answer is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

# What the references use, imported here so that no timed phase does.
import scipy.interpolate
import scipy.linalg
import scipy.optimize
import scipy.special  # noqa: F401

from bench.data import family
from bench.errors import NoReference
from bench.types import Budget, Clock, Dataset, Fit, Place

KIND = "exact"
FAMILIES = ("linear", "two_groups", "eight_schools", "varying_intercept")


@dataclass(frozen=True)
class Options:
    """Nothing to set."""


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Budget:
    """Nothing to prepare."""
    return budget


class State(NamedTuple):
    """Draws, and what more of them come from."""

    draws: dict[str, Any]
    posterior: Any
    rng: np.random.Generator


def fit(budget: Budget, data: Dataset, seed: int, clock: Clock) -> State:
    """Solve for the posterior, then draw from it; both are `sample`. NoReference where there is none."""
    rng = np.random.default_rng(seed)
    with clock("sample"):
        posterior = family(data.family).reference(data)
        if not math.isinf(posterior.n_effective):
            raise NoReference("the reference is itself Monte Carlo: there is no exact posterior to draw from")
        drawn = _drawn(posterior, budget.chains, budget.draws, rng)
    return State(drawn, posterior, rng)


def resume(budget: Budget, data: Dataset, state: State, draws: int, clock: Clock) -> State:
    """So many further draws of each chain; these alone."""
    with clock("sample"):
        return state._replace(draws=_drawn(state.posterior, budget.chains, draws, state.rng))


def _drawn(posterior: Any, chains: int, draws: int, rng: np.random.Generator) -> dict[str, Any]:
    drawn = posterior.draw(chains * draws, rng)
    return {name: value.reshape(chains, draws, *value.shape[1:]) for name, value in drawn.items()}


def draw(state: State) -> Fit:
    """The draws as they are; nothing was differentiated."""
    return Fit("exact", state.draws, stats={"gradients": 0})

"""Independent draws from the family's exact posterior: what accuracy costs when the answer is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

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


def fit(budget: Budget, data: Dataset, seed: int, clock: Clock) -> dict[str, Any]:
    """Solve for the posterior, then draw from it; both are `sample`. NoReference where there is none."""
    size = (budget.chains, budget.draws)
    with clock("sample"):
        posterior = family(data.family).reference(data)
        if not math.isinf(posterior.n_effective):
            raise NoReference("the reference is itself Monte Carlo: there is no exact posterior to draw from")
        drawn = posterior.draw(size[0] * size[1], np.random.default_rng(seed))
    return {name: value.reshape(*size, *value.shape[1:]) for name, value in drawn.items()}


def draw(state: dict[str, Any]) -> Fit:
    """The draws as they are; nothing was differentiated."""
    return Fit("exact", state, stats={"gradients": 0})

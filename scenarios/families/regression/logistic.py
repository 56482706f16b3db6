"""Logistic regression: y_i ~ Bernoulli(logit⁻¹(x_i·weights + bias)); priors independent, chosen by the scenario."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy

from bench.protocols import Reference
from bench.types import Array, Arrays, Dataset
from scenarios.families.common.direct import (
    constrain,
    coordinates,
    from_sites,
    prior_draw,
    prior_variance,
    to_sites,
    unconstrain,
)
from scenarios.families.posteriors import importance
from scenarios.families.regression import regression
from scenarios.families.regression.logistic_data import parameters, simulate, start
from scenarios.families.regression.logistic_settings import KEYS, PRIORS, check, notes, settings

__all__ = [
    "DISCRETE", "KEYS", "PRIORS", "check", "constrain", "coordinates", "derived", "from_sites", "log_density",
    "log_likelihood", "notes", "objective", "observation_cdf", "optimum", "parameters", "predict", "prior_predictive",
    "prior_variance", "reference", "settings", "simulate", "start", "to_sites", "unconstrain",
]  # fmt: skip

DISCRETE = True


def predict(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """P(Y = 1) at `arrays["x"]` (n, J): weights (..., J) → (..., n)."""
    return np.asarray(scipy.special.expit(regression.predictor(data, draws, arrays)))


def log_likelihood(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """Pointwise log P(Y_i = y_i | draw) at `arrays` x (n, J), y (n,) of 0 and 1: (..., n)."""
    return np.asarray(scipy.special.log_expit((2.0 * arrays["y"] - 1.0) * regression.predictor(data, draws, arrays)))


def observation_cdf(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """P(Y_i ≤ y_i | draw) at `arrays` x (n, J), y (n,): 0 below 0, P(Y = 0) from 0, 1 from 1: (..., n)."""
    y = arrays["y"]
    zero = scipy.special.expit(-regression.predictor(data, draws, arrays))
    return np.where(y < 0.0, 0.0, np.where(y < 1.0, zero, 1.0))


def derived(data: Dataset, draws: Arrays) -> dict[str, Array | npt.NDArray[np.bool_]]:
    """`prediction`: the probability of a 1 at the scenario's new inputs (m, J), (..., m); empty without them."""
    return regression.derived(data, draws, predict)


def prior_predictive(data: Dataset, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, Array]]:
    """A truth from the priors and observations of it at the features of `data`."""
    truth, x = prior_draw(data, rng), data.arrays["x"]
    y = (rng.random(len(x)) < predict(data, truth, {"x": x})).astype(float)
    return truth, {**data.arrays, "y": y}


def log_density(data: Dataset, z: Array) -> tuple[Array, Array]:
    """Log joint density of data and z and its gradient, (...) and (..., dim); finite for every finite predictor."""
    return regression.log_density(data, z, _likelihood)


def _likelihood(y: Array, eta: Array, params: Arrays) -> tuple[Array, Array, Arrays]:
    sign = 2.0 * y - 1.0
    signed = eta * sign
    return scipy.special.log_expit(signed).sum(axis=-1), sign * scipy.special.expit(-signed), {}


def reference(data: Dataset) -> Reference:
    """The posterior by importance sampling, with its own errors; NoReference where they are not to be trusted."""
    return importance.posterior(data, log_density, constrain, np.zeros(data.dim))


def objective(data: Dataset, name: str, params: Arrays) -> float:
    """`map`, the negative log posterior in nats, to be minimised; ValueError for another name.

    `map_unconstrained` is the same: no parameter is constrained.
    """
    return regression.objective(data, name, params, log_density)


def optimum(data: Dataset, name: str) -> tuple[dict[str, Array], float]:
    """The minimiser and least value of `objective`; ValueError for another name, NoReference where there is none."""
    return regression.optimum(data, name, log_density, np.zeros(data.dim))

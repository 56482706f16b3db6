"""Regression with an intercept per group: y_i = a[group_i] + x_i·weights + sigma·ε, a_g ~ Normal(mu, tau).

The parameters are mu, tau, a, weights (if there are features) and sigma whatever the model samples: see `hierarchy` for
the two parametrisations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import scipy

from bench.errors import NoReference
from bench.protocols import Reference
from bench.types import Array, Arrays, Dataset
from scenarios.families.hierarchy import hierarchy, hierarchy_optimum, varying_intercept_data
from scenarios.families.hierarchy.hierarchy import (
    constrain,
    from_sites,
    prior_draw,
    prior_variance,
    to_sites,
    unconstrain,
)
from scenarios.families.hierarchy.varying_intercept_data import coordinates, parameters, simulate, start
from scenarios.families.hierarchy.varying_intercept_settings import KEYS, PRIORS, check, notes, settings
from scenarios.families.posteriors.given_scales import GivenScales
from scenarios.families.posteriors.varying_intercepts import VaryingInterceptPosterior, rough_scales

__all__ = [
    "KEYS", "PRIORS", "check", "constrain", "coordinates", "derived", "from_sites", "log_density", "log_likelihood",
    "notes", "objective", "observation_cdf", "optimum", "parameters", "predict", "prior_predictive", "prior_variance",
    "reference", "settings", "simulate", "start", "to_sites", "unconstrain",
]  # fmt: skip

_LOG_2PI = math.log(2.0 * math.pi)


def predict(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """Expected observation of every row of `arrays`, x (n, P) and `group` (n,): (..., n)."""
    return varying_intercept_data.mean(draws, arrays)


def _standardised(draws: Arrays, arrays: Arrays) -> tuple[Array, Array]:
    """(y − mean)/sigma (..., n) and sigma (..., 1)."""
    sigma = np.asarray(draws["sigma"], dtype=float)[..., None]
    return (arrays["y"] - varying_intercept_data.mean(draws, arrays)) / sigma, sigma


def log_likelihood(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """Pointwise log p(y_i | draw) at `arrays` x (n, P), group and y (n,): (..., n)."""
    standard, sigma = _standardised(draws, arrays)
    return np.asarray(-0.5 * standard**2 - np.log(sigma) - 0.5 * _LOG_2PI)


def observation_cdf(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """P(Y_i ≤ y_i | draw) at `arrays` x (n, P), group and y (n,): (..., n)."""
    return np.asarray(scipy.special.ndtr(_standardised(draws, arrays)[0]))


def derived(data: Dataset, draws: Arrays) -> dict[str, Array | npt.NDArray[np.bool_]]:
    """`icc`: the intraclass correlation tau²/(tau² + sigma²), (...)."""
    sigma, tau = (np.square(np.asarray(draws[name], dtype=float)) for name in ("sigma", "tau"))
    return {"icc": tau / (tau + sigma)}


def prior_predictive(data: Dataset, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, Array]]:
    """A truth from the priors and rows of it at the groups and features of `data`; NoReference for a flat prior."""
    truth = prior_draw(data, rng)
    noise = rng.standard_normal(len(data.arrays["y"]))
    return truth, {**data.arrays, "y": predict(data, truth, data.arrays) + truth["sigma"] * noise}


def _likelihood(data: Dataset, draws: Arrays) -> tuple[Array, dict[str, Array]]:
    arrays = data.arrays
    standard, sigma = _standardised(draws, arrays)
    value = log_likelihood(data, draws, arrays).sum(axis=-1)
    along = standard / sigma
    member = arrays["group"][:, None] == np.arange(data.parameter("a").size)
    slopes = {"a": along @ member, "sigma": (np.square(standard) - 1.0).sum(axis=-1) / sigma[..., 0]}
    return value, slopes | ({"weights": along @ arrays["x"]} if "weights" in draws else {})


def log_density(data: Dataset, z: Array) -> tuple[Array, Array]:
    """Log joint density of data and z with Jacobian, and its gradient: (...), (..., dim)."""
    return hierarchy.log_density(data, z, _likelihood)


def reference(data: Dataset) -> Reference:
    """The exact posterior; NoReference where it is improper or lacks fourth moments."""
    return VaryingInterceptPosterior(data)


def objective(data: Dataset, name: str, params: Arrays) -> float:
    """`map` or `map_unconstrained` of the sites, in nats, to be minimised; ValueError for another name."""
    return hierarchy.objective(data, name, params, _likelihood)


def optimum(data: Dataset, name: str) -> tuple[dict[str, Array], float]:
    """The minimiser and least value of `objective`; NoReference where the density of the sites is unbounded."""
    given = GivenScales(data)
    sigma, tau = rough_scales(given)
    y = data.arrays["y"]
    if given.within_squares <= (len(y) * np.finfo(float).eps) ** 2 * float(y @ y):
        raise NoReference(
            f"{name} has no mode: intercepts and weights interpolate the observations, and sigma runs to 0"
        )

    def mode(scales: Mapping[str, float]) -> dict[str, Array]:
        means = given.moments(np.array([scales["sigma"]]), np.array([scales["tau"]]))[0][0]
        end = 1 + given.n_groups
        return {"mu": means[0], "a": means[1:end], "weights": means[end:]}

    return hierarchy_optimum.optimum(data, name, {"tau": tau, "sigma": sigma}, mode, _likelihood)

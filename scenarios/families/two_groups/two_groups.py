"""BEST: two groups of normal observations with their own mean and standard deviation (Kruschke 2013, normal tails).

y_gi = mu_g + sigma_g·ε. Groups share nothing, so each is a linear regression without features whose bias is mu_g: the
density, the objectives and the exact posterior are those of the family `linear`, one group at a time.
"""

from __future__ import annotations

import math

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
from scenarios.families.posteriors.independent_groups import GroupsPosterior, regression
from scenarios.families.regression import linear
from scenarios.families.two_groups.two_groups_data import parameters, simulate, start
from scenarios.families.two_groups.two_groups_settings import KEYS, PRIORS, check, notes, settings

__all__ = [
    "KEYS", "PRIORS", "check", "constrain", "coordinates", "derived", "from_sites", "log_density", "log_likelihood",
    "notes", "objective", "observation_cdf", "optimum", "parameters", "predict", "prior_predictive", "prior_variance",
    "reference", "settings", "simulate", "start", "to_sites", "unconstrain",
]  # fmt: skip

_LOG_2PI = math.log(2.0 * math.pi)


def prior_predictive(data: Dataset, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, Array]]:
    """A truth from the priors and as many observations of each group; NoReference for a flat prior."""
    truth = prior_draw(data, rng)
    sizes = (len(data.arrays["y1"]), len(data.arrays["y2"]))
    drawn = [truth["mu"][g] + truth["sigma"][g] * rng.standard_normal(n) for g, n in enumerate(sizes)]
    return truth, {**data.arrays, "y1": drawn[0], "y2": drawn[1]}


def log_density(data: Dataset, z: Array) -> tuple[Array, Array]:
    """Log posterior density with Jacobian and its gradient, (...) and (..., 4); normalised but for the evidence."""
    z = np.asarray(z, dtype=float)
    value, gradient = np.zeros(z.shape[:-1]), np.empty_like(z)
    for g in range(2):
        mine = slice(g, None, 2)  # z is (mu₁, mu₂, sigma₁, sigma₂)
        one, gradient[..., mine] = linear.log_density(regression(data, g), z[..., mine])
        value += one
    return value, gradient


def _of_rows(arrays: Arrays) -> npt.NDArray[np.intp]:
    """The group of every row: of hold-out rows their `group`, of the data y1 then y2."""
    if "group" in arrays:
        return arrays["group"].astype(np.intp)
    return np.repeat([0, 1], [len(arrays["y1"]), len(arrays["y2"])])


def _observed(arrays: Arrays) -> Array:
    return arrays["y"] if "y" in arrays else np.concatenate([arrays["y1"], arrays["y2"]])


def predict(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """Expected observation of every row of `arrays`, `group` (n,) or y1 and y2: mu (..., 2) → (..., n)."""
    return np.asarray(draws["mu"], dtype=float)[..., _of_rows(arrays)]


def _standardised(draws: Arrays, arrays: Arrays) -> tuple[Array, Array]:
    """(y − mu)/sigma and sigma of every row, (..., n) each."""
    rows = _of_rows(arrays)
    mu, sigma = (np.asarray(draws[name], dtype=float)[..., rows] for name in ("mu", "sigma"))
    return (_observed(arrays) - mu) / sigma, sigma


def log_likelihood(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """Pointwise log p(y_i | draw) at `arrays`, `group` and y (n,) or y1 and y2: (..., n)."""
    standard, sigma = _standardised(draws, arrays)
    return np.asarray(-0.5 * standard**2 - np.log(sigma) - 0.5 * _LOG_2PI)


def observation_cdf(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """P(Y_i ≤ y_i | draw) at `arrays`, `group` and y (n,) or y1 and y2: (..., n)."""
    return np.asarray(scipy.special.ndtr(_standardised(draws, arrays)[0]))


def derived(data: Dataset, draws: Arrays) -> dict[str, Array | npt.NDArray[np.bool_]]:
    """mu_diff = mu[1] − mu[0], effect_size = mu_diff/√((sigma₁² + sigma₂²)/2), the event mu_diff < 0; (...) each."""
    mu, sigma = (np.asarray(draws[name], dtype=float) for name in ("mu", "sigma"))
    difference = mu[..., 1] - mu[..., 0]
    return {
        "mu_diff": difference,
        "effect_size": difference / np.sqrt(np.square(sigma).mean(axis=-1)),
        "mu_diff<0": difference < 0.0,
    }


def reference(data: Dataset) -> Reference:
    """The exact posterior, two independent one-dimensional problems; NoReference where it is improper."""
    return GroupsPosterior(data)


def objective(data: Dataset, name: str, params: Arrays) -> float:
    """In nats, to be minimised; ValueError for another name.

    `least_squares`: Σ_g RSS_g/(2s_g²) with s_g² = RSS*_g/n_g at the group means. `map`: negative log posterior in
    natural space. `map_unconstrained`: the same with Jacobian.
    """
    found = 0.0
    for g in range(2):
        own = {"weights": np.zeros(0), "bias": np.asarray(params["mu"], dtype=float)[g]}
        if "sigma" in params:
            own["sigma"] = np.asarray(params["sigma"], dtype=float)[g]
        found += linear.objective(regression(data, g), name, own)
    return found


def optimum(data: Dataset, name: str) -> tuple[dict[str, Array], float]:
    """The minimiser and least value of `objective`; NoReference where there is none.

    `least_squares` estimates no sigma: its minimiser is the group means, with the plug-in sigma_g = √(RSS_g/n_g).
    """
    if name == "least_squares":
        groups = (data.arrays["y1"], data.arrays["y2"])
        found = {"mu": np.array([y.mean() for y in groups]), "sigma": np.array([y.std() for y in groups])}
        return found, objective(data, name, found)
    each = [linear.optimum(regression(data, g), name) for g in range(2)]
    found = {"mu": np.array([f["bias"] for f, _ in each]), "sigma": np.array([f["sigma"] for f, _ in each])}
    return found, sum(least for _, least in each)

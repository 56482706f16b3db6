"""Linear regression: y = X·weights + bias + sigma·ε, ε standard normal; priors independent, chosen by the scenario."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import scipy

from bench.protocols import Reference
from bench.types import Array, Arrays, Dataset, Prior
from scenarios.families.common import priors, transforms
from scenarios.families.common.direct import (
    constrain,
    coordinates,
    from_sites,
    prior_draw,
    prior_variance,
    to_sites,
    unconstrain,
)
from scenarios.families.posteriors import conjugate, importance
from scenarios.families.regression import linear_optimum
from scenarios.families.regression.linear_data import parameters, simulate, start
from scenarios.families.regression.linear_settings import KEYS, PRIORS, check, notes, settings

__all__ = [
    "KEYS", "PRIORS", "check", "constrain", "coordinates", "derived", "from_sites", "log_density", "log_likelihood",
    "notes", "objective", "observation_cdf", "optimum", "parameters", "predict", "prior_predictive", "prior_variance",
    "reference", "settings", "simulate", "start", "to_sites", "unconstrain",
]  # fmt: skip

CHUNK = 5_000_000
"""Residuals held at once by `log_density`: 40 MB of float64."""

_LOG_2PI = math.log(2.0 * math.pi)


def known_sigma(model: Mapping[str, Prior]) -> float | None:
    """The sigma the model takes as given; None where it is inferred."""
    prior = model["sigma"]
    return prior.args[0] if prior.name == "known" else None


def sigma_of(data: Dataset, draws: Arrays) -> Array:
    """Sigma of every draw, or the known one, as an array that broadcasts against the draws' leading axes."""
    known = known_sigma(data.priors)
    return np.asarray(draws["sigma"] if known is None else known, dtype=float)


def predict(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """Expected observations at `arrays["x"]` (n, J): weights (..., J) → (..., n)."""
    mean = np.asarray(draws["weights"], dtype=float) @ arrays["x"].T
    if "bias" in data.names:
        mean += np.asarray(draws["bias"], dtype=float)[..., None]
    return mean


def log_likelihood(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """Pointwise log p(y_i | draw) at `arrays` x (n, J), y (n,): (..., n); holds one array of that size."""
    value = predict(data, draws, arrays)
    sigma = sigma_of(data, draws)[..., None]
    value -= arrays["y"]
    value /= sigma
    np.square(value, out=value)
    value *= -0.5
    value -= np.log(sigma) + 0.5 * _LOG_2PI
    return value


def observation_cdf(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """P(Y_i ≤ y_i | draw) at `arrays` x (n, J), y (n,): (..., n)."""
    value = predict(data, draws, arrays)
    np.subtract(arrays["y"], value, out=value)
    value /= sigma_of(data, draws)[..., None]
    return np.asarray(scipy.special.ndtr(value))


def derived(data: Dataset, draws: Arrays) -> dict[str, Array | npt.NDArray[np.bool_]]:
    """`prediction`: the expected observation at the scenario's new inputs (m, J), (..., m); empty without them."""
    return {"prediction": predict(data, draws, data.predict)} if data.predict else {}


def prior_predictive(data: Dataset, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, Array]]:
    """A truth from the priors and observations of it at the features of `data`; NoReference for a flat prior."""
    truth, x = prior_draw(data, rng), data.arrays["x"]
    noise = rng.standard_normal(len(x))
    return truth, {**data.arrays, "y": predict(data, truth, {"x": x}) + sigma_of(data, truth) * noise}


def log_density(data: Dataset, z: Array) -> tuple[Array, Array]:
    """Log posterior density with Jacobian and its gradient, (...) and (..., dim); normalised but for the evidence."""
    z = np.asarray(z, dtype=float)
    flat = z.reshape(-1, z.shape[-1])
    value, gradient = natural_log_density(data, constrain(data, flat))
    log_jacobian, slope = transforms.log_jacobians(data.parameters, flat)
    value = value + log_jacobian.sum(axis=-1)
    gradient = gradient * np.exp(log_jacobian) + slope
    return value.reshape(z.shape[:-1]), gradient.reshape(z.shape)


def natural_log_density(data: Dataset, params: Arrays) -> tuple[Array, Array]:
    """Log posterior in natural space, no Jacobian, and its gradient there: {name: (m, *shape)} → (m,), (m, dim)."""
    weights = np.asarray(params["weights"], dtype=float)
    sigma = np.broadcast_to(sigma_of(data, params), weights.shape[:1])
    x, y = data.arrays["x"], data.arrays["y"]
    squares, along, total = np.empty(len(weights)), np.empty_like(weights), np.empty(len(weights))
    step = max(1, CHUNK // max(1, len(y)))
    for at in range(0, len(weights), step):
        part = slice(at, at + step)
        residual = y - predict(data, {k: v[part] for k, v in params.items()}, {"x": x})
        squares[part] = np.einsum("mn,mn->m", residual, residual)
        along[part] = residual @ x
        total[part] = residual.sum(axis=-1)
    value = -0.5 * squares / sigma**2 - len(y) * (np.log(sigma) + 0.5 * _LOG_2PI)
    slopes = {"weights": along / sigma[:, None] ** 2, "bias": total / sigma**2}
    slopes["sigma"] = squares / sigma**3 - len(y) / sigma
    for p in data.parameters:
        prior, at_ = data.priors[p.name], np.asarray(params[p.name], dtype=float)
        value = value + priors.log_density(prior, at_).reshape(len(weights), -1).sum(axis=-1)
        slopes[p.name] = slopes[p.name] + priors.derivative(prior, at_)
    return value, transforms.flatten(data.parameters, slopes)


def reference(data: Dataset) -> Reference:
    """The exact posterior, or by importance sampling under student_t or cauchy priors; NoReference with the reason."""
    heavy = {"student_t", "cauchy"} & {prior.name for prior in data.priors.values()}
    if heavy:
        return importance.posterior(data, log_density, constrain, linear_optimum.begin(data))
    return conjugate.posterior(data)


def objective(data: Dataset, name: str, params: Arrays) -> float:
    """In nats, to be minimised; ValueError for another name.

    `least_squares`: RSS/(2s²) with s² the known sigma² or RSS*/N at the least-squares fit (1 where that fit
    interpolates). `map`: negative log posterior in natural space. `map_unconstrained`: the same with Jacobian.
    """
    if name == "least_squares":
        residual = data.arrays["y"] - predict(data, params, data.arrays)
        return float(residual @ residual) / (2.0 * linear_optimum.residual_variance(data, known_sigma(data.priors)))
    if name not in ("map", "map_unconstrained"):
        raise ValueError(f"unknown objective {name!r}; known: least_squares, map, map_unconstrained")
    if any(np.any((params[p.name] < p.lower) | (params[p.name] > p.upper)) for p in data.parameters):
        return math.inf
    one = {p.name: np.asarray(params[p.name], dtype=float)[None] for p in data.parameters}
    value = float(natural_log_density(data, one)[0][0])
    if name == "map_unconstrained":
        value += float(transforms.log_jacobians(data.parameters, unconstrain(data, one)[0])[0].sum())
    return -value


def optimum(data: Dataset, name: str) -> tuple[dict[str, Array], float]:
    """The minimiser and least value of `objective`; NoReference where there is none.

    With student_t or cauchy priors it is the minimum whose basin holds the least-squares fit.
    """
    if name == "least_squares":
        found = linear_optimum.least_squares(data)
    else:
        found = linear_optimum.minimise(data, name, log_density)
    return found, objective(data, name, found)

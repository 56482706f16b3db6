"""What regressions on a linear predictor share: the predictor, their log density in chunks, and MAP objectives."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from bench.types import Array, Arrays, Dataset
from scenarios.families.common import priors, transforms
from scenarios.families.posteriors import modes

CHUNK = 2_000_000
"""Observations × draws held at once by `log_density`: 16 MB of float64 per intermediate."""

Likelihood = Callable[[Array, Array, Arrays], tuple[Array, Array, Arrays]]
"""Log likelihood of y (n,) at predictors (m, n) and further parameters {name: (m,)}: its sum over observations (m,),
its slope in the predictor (m, n), and its slopes in the further parameters {name: (m,)}."""
Density = Callable[[Dataset, Array], tuple[Array, Array]]


def predictor(data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
    """X·weights + bias at `arrays["x"]` (n, J): weights (..., J) → (..., n)."""
    mean = np.asarray(draws["weights"], dtype=float) @ arrays["x"].T
    if "bias" in data.names:
        mean += np.asarray(draws["bias"], dtype=float)[..., None]
    return mean


def scale_of(data: Dataset, draws: Arrays, name: str) -> Array:
    """A positive parameter of every draw, or its known value."""
    prior = data.priors[name]
    return np.asarray(prior.args[0] if prior.name == "known" else draws[name], dtype=float)


def derived(
    data: Dataset, draws: Arrays, predict: Callable[[Dataset, Arrays, Arrays], Array]
) -> dict[str, Array | npt.NDArray[np.bool_]]:
    """`prediction`: the expected observation at the scenario's new inputs (m, J), (..., m); empty without them."""
    return {"prediction": predict(data, draws, data.predict)} if data.predict else {}


def log_density(data: Dataset, z: Array, likelihood: Likelihood) -> tuple[Array, Array]:
    """Log joint density of data and z with Jacobian, and its gradient: (...), (..., dim)."""
    z = np.asarray(z, dtype=float)
    flat = z.reshape(-1, z.shape[-1])
    params = transforms.constrain(data.parameters, flat)
    value, slopes = np.empty(len(flat)), {p.name: np.empty((len(flat), *p.shape)) for p in data.parameters}
    x, y = data.arrays["x"], data.arrays["y"]
    step = max(1, CHUNK // max(1, len(y)))
    for at in range(0, len(flat), step):
        part = slice(at, at + step)
        chunk = {name: values[part] for name, values in params.items()}
        value[part], along, further = likelihood(y, predictor(data, chunk, data.arrays), chunk)
        slopes["weights"][part] = along @ x
        if "bias" in slopes:
            slopes["bias"][part] = along.sum(axis=-1)
        for name in further.keys() & slopes.keys():
            slopes[name][part] = further[name]
    for p in data.parameters:
        prior = data.priors[p.name]
        value += priors.log_density(prior, params[p.name]).reshape(len(flat), -1).sum(axis=-1)
        slopes[p.name] += priors.derivative(prior, params[p.name])
    log_jacobian, bend = transforms.log_jacobians(data.parameters, flat)
    value += log_jacobian.sum(axis=-1)
    gradient = transforms.flatten(data.parameters, slopes) * np.exp(log_jacobian) + bend
    return value.reshape(z.shape[:-1]), gradient.reshape(z.shape)


def objective(data: Dataset, name: str, params: Arrays, density: Density) -> float:
    """`map` (negative log posterior on the natural scale) or `map_unconstrained` (with Jacobian), in nats.

    To be minimised; ValueError for another name.
    """
    if name not in ("map", "map_unconstrained"):
        raise ValueError(f"unknown objective {name!r}; known: map, map_unconstrained")
    if any(np.any((params[p.name] <= p.lower) | (params[p.name] >= p.upper)) for p in data.parameters):
        return math.inf
    z = transforms.unconstrain(data.parameters, {k: np.asarray(v, dtype=float) for k, v in params.items()})
    value = float(density(data, z)[0])
    if name == "map":
        value -= float(transforms.log_jacobians(data.parameters, z)[0].sum())
    return -value


def optimum(data: Dataset, name: str, density: Density, start: Array) -> tuple[dict[str, Array], float]:
    """The least minimum of `objective` reached from `start` (dim,) or about 0; NoReference where there is none."""

    def target(z: Array) -> tuple[Array, Array]:
        value, gradient = density(data, z)
        if name == "map":
            log_jacobian, bend = transforms.log_jacobians(data.parameters, z)
            return value - log_jacobian.sum(axis=-1), gradient - bend
        return value, gradient

    best = modes.find(target, modes.starts(start))[0]
    found = transforms.constrain(data.parameters, best.at)
    return found, objective(data, name, found, density)

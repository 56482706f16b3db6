"""Minimisers of the linear family's objectives to machine precision: least squares and damped Newton."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy

from bench.errors import NoReference
from bench.types import Array, Dataset
from scenarios.families.common import priors, starts, transforms
from scenarios.families.posteriors.design import Rows, located, rows

LogDensity = Callable[[Dataset, Array], tuple[Array, Array]]
MAX_STEPS = 300
_CERTAIN = 1e-8
"""Newton decrement in nats below which the step is taken unseen: the objective's own rounding hides its gain."""
_LONGEST = 5.0
"""Longest step in log (or logit) sigma."""
_LEAST_LOG_SIGMA = -150.0
"""Below this, sigma has run to 0 even if every y is 0; its fourth power is still a float."""
_LEAST_RELATIVE_SIGMA = 1e-14
"""The same relative to the root mean square of y: residuals that small are rounding."""


def least_squares(data: Dataset) -> dict[str, Array]:
    """The least-squares fit, of least norm where it is not unique: {weights, bias}."""
    a, y, _ = rows(data)
    return transforms.unflatten(located(data), scipy.linalg.lstsq(a, y, lapack_driver="gelsd")[0])


def residual_variance(data: Dataset) -> float:
    """The known sigma² if there is one, else RSS/N of the least-squares fit; 1 where that fit interpolates."""
    if data.priors["sigma"].name == "known":
        return float(data.priors["sigma"].args[0]) ** 2
    a, y, n = rows(data)
    coefficients = transforms.flatten(located(data), least_squares(data))
    residual = y - a @ coefficients
    variance = float(residual @ residual) / n
    # Rounding leaves residuals of about P·eps·|y| in an interpolating fit: far below, no noise can be told from it.
    floor = (len(coefficients) * np.finfo(float).eps) ** 2 * float(y @ y) / n
    return variance if variance > floor else 1.0


def minimise(data: Dataset, name: str, log_density: LogDensity) -> dict[str, Array]:
    """Minimiser of `map` or `map_unconstrained` by damped Newton in unconstrained space from the least-squares fit."""
    observed = rows(data)
    gram = observed.a.T @ observed.a
    least_sigma = _LEAST_RELATIVE_SIGMA * float(np.linalg.norm(observed.y)) / math.sqrt(observed.n)
    z = begin(data)
    value, gradient = _negative(data, name, z, log_density)
    before = np.inf
    for _ in range(MAX_STEPS):
        hessian = _hessian(data, name, z, observed, gram)
        step, decrement = _newton_step(hessian, gradient)
        if decrement < 1e-26 or (decrement < 1e-16 and decrement > 0.25 * before):
            return transforms.constrain(data.parameters, z)
        before, length = decrement, _LONGEST / max(_LONGEST, abs(step[-1])) if "sigma" in data.names else 1.0
        while True:
            trial = z + length * step
            new_value, new_gradient = _negative(data, name, trial, log_density)
            if decrement < _CERTAIN or new_value <= value - 0.1 * length * decrement or length < 1e-12:
                break
            length *= 0.5
        z, value, gradient = trial, new_value, new_gradient
        if "sigma" in data.names and (z[-1] < _LEAST_LOG_SIGMA or _sigma(data, z) < least_sigma):
            break
    raise NoReference(f"{name} has no minimum that Newton steps from least squares reach: the design may interpolate")


def begin(data: Dataset) -> Array:
    """The least-squares fit with the sigma of its residuals, moved inside the supports, in unconstrained space."""
    values = {**least_squares(data), "sigma": np.sqrt(np.asarray(residual_variance(data)))}
    return transforms.unconstrain(data.parameters, starts.inside(values, data.parameters))


def _sigma(data: Dataset, z: Array) -> float:
    return float(transforms.constrain(data.parameters, z)["sigma"])


def _negative(data: Dataset, name: str, z: Array, log_density: LogDensity) -> tuple[float, Array]:
    value, gradient = log_density(data, z)
    if name == "map":
        log_jacobian, slope = transforms.log_jacobians(data.parameters, z)
        return float(log_jacobian.sum() - value), slope - gradient
    return -float(value), -gradient


def _hessian(data: Dataset, name: str, z: Array, observed: Rows, gram: Array) -> Array:
    """Exact Hessian in z of the objective; x'' = x'·(log x')' turns natural curvature into that of z."""
    (a, y, n), params = observed, transforms.constrain(data.parameters, z)
    known = "sigma" not in data.names
    sigma = float(data.priors["sigma"].args[0] if known else params["sigma"])
    flat = transforms.flatten(data.parameters, params)
    residual = y - a @ flat[: len(gram)]
    along, squares = a.T @ residual, float(residual @ residual)
    natural = np.zeros((len(z), len(z)))
    natural[: len(gram), : len(gram)] = gram / sigma**2
    slope = np.empty(len(z))
    slope[: len(gram)] = -along / sigma**2
    if not known:
        natural[-1, :-1] = natural[:-1, -1] = 2.0 * along / sigma**3
        natural[-1, -1] = 3.0 * squares / sigma**4 - n / sigma**2
        slope[-1] = n / sigma - squares / sigma**3
    bends = {p.name: priors.curvature(data.priors[p.name], params[p.name]) for p in data.parameters}
    slopes = {p.name: priors.derivative(data.priors[p.name], params[p.name]) for p in data.parameters}
    natural[np.diag_indices_from(natural)] -= transforms.flatten(data.parameters, bends)
    slope -= transforms.flatten(data.parameters, slopes)
    log_jacobian, bend = transforms.log_jacobians(data.parameters, z)
    first = np.exp(log_jacobian)
    hessian: Array = natural * np.outer(first, first)
    hessian[np.diag_indices_from(hessian)] += slope * first * bend
    if name == "map_unconstrained":
        interval = np.concatenate([np.full(p.size, np.isfinite(p.upper - p.lower)) for p in data.parameters])
        # d²/dz² log |dx/dz| is −(1 − tanh²(z/2))/2 for the logit and 0 for identity and log.
        hessian[np.diag_indices_from(hessian)] += np.where(interval, 0.5 * (1.0 - bend**2), 0.0)
    return hessian


def _newton_step(hessian: Array, gradient: Array) -> tuple[Array, float]:
    """A descent step and the decrease it promises, in nats; the diagonal is raised until the Hessian is definite."""
    diagonal = np.abs(np.diag(hessian))
    # At an active bound curvature dies out; the floor keeps its scale a float.
    scale = 1.0 / np.sqrt(np.maximum(diagonal, 1e-30 * diagonal.max()))
    scaled = hessian * np.outer(scale, scale)
    ridge = 0.0
    while True:
        try:
            factor = scipy.linalg.cho_factor(scaled + ridge * np.eye(len(scaled)), lower=True)
            break
        except scipy.linalg.LinAlgError:
            ridge = max(2.0 * ridge, 1e-3)
    step = -scale * scipy.linalg.cho_solve(factor, scale * gradient)
    return step, -0.5 * float(gradient @ step)

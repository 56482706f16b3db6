"""Bijections between the unconstrained vector z and natural parameters: identity, log and logit of an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy

from bench.types import Array, Arrays, Parameter


def to_natural(z: Array, lower: float, upper: float) -> Array:
    """The point of (lower, upper) that z stands for, elementwise."""
    z = np.asarray(z, dtype=float)
    if math.isinf(lower) and math.isinf(upper):
        return z
    if math.isinf(upper):
        return lower + np.exp(z)
    if math.isinf(lower):
        return upper - np.exp(z)
    small = np.exp(-np.abs(z))  # SciPy's expit is the same, and takes a tenth of a second to import: a child's
    return lower + (upper - lower) * (np.where(z < 0.0, small, 1.0) / (1.0 + small))


def to_unconstrained(x: Array, lower: float, upper: float) -> Array:
    """The inverse of `to_natural`; ±inf on a bound."""
    x = np.asarray(x, dtype=float)
    if math.isinf(lower) and math.isinf(upper):
        return x
    with np.errstate(divide="ignore"):
        if math.isinf(upper):
            return np.log(x - lower)
        if math.isinf(lower):
            return np.log(upper - x)
        return np.log(x - lower) - np.log(upper - x)


def log_jacobian(z: Array, lower: float, upper: float) -> tuple[Array, Array]:
    """log |dx/dz| and its derivative in z, elementwise."""
    z = np.asarray(z, dtype=float)
    if math.isinf(lower) and math.isinf(upper):
        return np.zeros_like(z), np.zeros_like(z)
    if math.isinf(lower) or math.isinf(upper):
        return z, np.ones_like(z)
    value = math.log(upper - lower) + scipy.special.log_expit(z) + scipy.special.log_expit(-z)
    return value, -np.tanh(0.5 * z)


def unflatten(parameters: Sequence[Parameter], vector: Array) -> dict[str, Array]:
    """(..., dim) → {name: (..., *shape)}, parameters in order, C order inside; no change of space."""
    pieces: dict[str, Array] = {}
    at = 0
    for p in parameters:
        pieces[p.name] = vector[..., at : at + p.size].reshape((*vector.shape[:-1], *p.shape))
        at += p.size
    return pieces


def columns(parameters: Sequence[Parameter], name: str) -> slice:
    """Where a parameter lies in a vector of them all; KeyError if it is none of them."""
    at = 0
    for p in parameters:
        if p.name == name:
            return slice(at, at + p.size)
        at += p.size
    raise KeyError(name)


def flatten(parameters: Sequence[Parameter], values: Arrays) -> Array:
    """The inverse of `unflatten`."""
    pieces = []
    for p in parameters:
        value = np.asarray(values[p.name], dtype=float)
        pieces.append(value.reshape((*value.shape[: value.ndim - len(p.shape)], p.size)))
    return np.concatenate(pieces, axis=-1)


def constrain(parameters: Sequence[Parameter], z: Array) -> dict[str, Array]:
    """Unconstrained vectors (..., dim) → {name: (..., *shape)} in natural space."""
    pieces = unflatten(parameters, np.asarray(z, dtype=float))
    return {p.name: to_natural(pieces[p.name], p.lower, p.upper) for p in parameters}


def unconstrain(parameters: Sequence[Parameter], draws: Arrays) -> Array:
    """{name: (..., *shape)} in natural space → unconstrained vectors (..., dim)."""
    return flatten(parameters, {p.name: to_unconstrained(draws[p.name], p.lower, p.upper) for p in parameters})


def log_jacobians(parameters: Sequence[Parameter], z: Array) -> tuple[Array, Array]:
    """Elementwise log |dx/dz| and its derivative for whole vectors, each (..., dim)."""
    pieces = unflatten(parameters, np.asarray(z, dtype=float))
    both = {p.name: log_jacobian(pieces[p.name], p.lower, p.upper) for p in parameters}
    values = flatten(parameters, {name: pair[0] for name, pair in both.items()})
    return values, flatten(parameters, {name: pair[1] for name, pair in both.items()})

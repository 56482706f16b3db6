"""Densities, derivatives, supports and draws of the priors a scenario can name, in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy

from bench.types import PRIORS, Array, Prior

POSITIVE = frozenset({"exponential", "half_normal", "half_cauchy", "log_normal"})
_MUST_BE_POSITIVE = frozenset({"scale", "rate", "df"})
_LOG_2PI = math.log(2.0 * math.pi)


def check_args(prior: Prior) -> str | None:
    """What is allowed, as a phrase, when an argument is out of range; None when all are fine."""
    for name, value in zip(PRIORS[prior.name], map(np.asarray, prior.args), strict=True):
        if not np.isfinite(value).all():
            return f"{name} must be finite"
        if name in _MUST_BE_POSITIVE and (value <= 0.0).any():
            return f"{name} must be greater than 0"
    if prior.name == "uniform" and not np.all(np.less(*prior.args)):
        return "low must be smaller than high"
    return None


def support(prior: Prior) -> tuple[float, float]:
    """The interval (lower, upper) that carries all mass; the whole line for `flat`, a point for `known`."""
    if prior.name == "known":
        return prior.args[0], prior.args[0]
    if prior.name == "uniform":
        return prior.args[0], prior.args[1]
    return (0.0 if prior.name in POSITIVE else -math.inf), math.inf


def positive_support(prior: Prior) -> tuple[float, float]:
    """The part of `support` above 0, where a standard deviation lives."""
    lower, upper = support(prior)
    return max(lower, 0.0), upper


def log_density(prior: Prior, x: Array) -> Array:
    """Log density at each x, normalised, −inf outside the support; 0 everywhere for `flat` and `known`."""
    x = np.asarray(x, dtype=float)
    if prior.name in ("flat", "known"):
        return np.zeros_like(x)
    lower, upper = support(prior)
    inside = (x >= lower) & (x <= upper)
    if prior.name == "log_normal":
        inside &= x > 0.0
    anywhere = 1.0 if prior.name in POSITIVE else 0.5 * (lower + upper) if math.isfinite(lower) else 0.0
    return np.where(inside, _log_density_inside(prior, np.where(inside, x, anywhere)), -np.inf)


def arguments(prior: Prior) -> tuple[Array, ...]:
    """Its arguments, each () or (J,), which broadcast against values (..., J)."""
    return tuple(np.asarray(value, dtype=float) for value in prior.args)


def _log_density_inside(prior: Prior, x: Array) -> Array:
    match prior.name, arguments(prior):
        case "normal", (loc, scale):
            return np.asarray(-0.5 * ((x - loc) / scale) ** 2 - np.log(scale) - 0.5 * _LOG_2PI)
        case "uniform", (low, high):
            return np.full_like(x, -math.log(high - low))
        case "student_t", (df, loc, scale):
            gammas = scipy.special.gammaln(0.5 * (df + 1)) - scipy.special.gammaln(0.5 * df)
            constant = gammas - 0.5 * np.log(df * math.pi) - np.log(scale)
            return np.asarray(constant - 0.5 * (df + 1) * np.log1p(((x - loc) / scale) ** 2 / df))
        case "cauchy", (loc, scale):
            return np.asarray(-np.log(math.pi * scale) - np.log1p(((x - loc) / scale) ** 2))
        case "exponential", (rate,):
            return math.log(rate) - rate * x
        case "half_normal", (scale,):
            return -0.5 * (x / scale) ** 2 - math.log(scale) + 0.5 * math.log(2.0 / math.pi)
        case "half_cauchy", (scale,):
            return math.log(2.0 / (math.pi * scale)) - np.log1p((x / scale) ** 2)
        case "log_normal", (loc, scale):
            log_x = np.log(x)
            return -0.5 * ((log_x - loc) / scale) ** 2 - log_x - math.log(scale) - 0.5 * _LOG_2PI
    raise ValueError(f"no density for {prior}")


def derivative(prior: Prior, x: Array) -> Array:
    """d log density / dx at each x inside the support; analytic, so it also takes complex x."""
    match prior.name, arguments(prior):
        case "normal", (loc, scale):
            return -(x - loc) / scale**2
        case "student_t", (df, loc, scale):
            return -(df + 1) * (x - loc) / (df * scale**2 + (x - loc) ** 2)
        case "cauchy", (loc, scale):
            return -2.0 * (x - loc) / (scale**2 + (x - loc) ** 2)
        case "exponential", (rate,):
            return np.full_like(x, -rate)
        case "half_normal", (scale,):
            return -x / scale**2
        case "half_cauchy", (scale,):
            return -2.0 * x / (scale**2 + x**2)
        case "log_normal", (loc, scale):
            return -(1.0 + (np.log(x) - loc) / scale**2) / x
    return np.zeros_like(x)


def curvature(prior: Prior, x: Array) -> Array:
    """d² log density / dx² at each x inside the support, by complex step: exact to rounding."""
    tiny = 1e-100
    stepped: Any = np.asarray(x) + 1j * tiny
    return np.asarray(np.imag(derivative(prior, stepped)) / tiny, dtype=float)


def draw(prior: Prior, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Independent draws of that shape; `known` repeats its value, `flat` raises ValueError."""
    match prior.name, arguments(prior):
        case "known", (value,):
            return np.full(shape, value)
        case "normal", (loc, scale):
            return loc + scale * rng.standard_normal(shape)
        case "uniform", (low, high):
            return rng.uniform(low, high, shape)
        case "student_t", (df, loc, scale):
            return np.asarray(loc + scale * rng.standard_t(df, shape))
        case "cauchy", (loc, scale):
            return np.asarray(loc + scale * rng.standard_cauchy(shape))
        case "exponential", (rate,):
            return rng.exponential(1.0 / rate, shape)
        case "half_normal", (scale,):
            return np.asarray(np.abs(scale * rng.standard_normal(shape)))
        case "half_cauchy", (scale,):
            return np.asarray(np.abs(scale * rng.standard_cauchy(shape)))
        case "log_normal", (loc, scale):
            return rng.lognormal(loc, scale, shape)
    raise ValueError(f"{prior.name} is improper and cannot be drawn from")


def variance(prior: Prior) -> float | Array:
    """Variance; inf where there is none, as for `flat`, `cauchy` and a student_t of at most two degrees of freedom.

    Of a prior with a value for each element it is (J,).
    """
    match prior.name, arguments(prior):
        case "known", _:
            return 0.0
        case "normal", (_, scale):
            return scale**2
        case "uniform", (low, high):
            return (high - low) ** 2 / 12.0
        case "student_t", (df, _, scale):
            with np.errstate(divide="ignore"):
                return np.where(np.greater(df, 2.0), np.square(scale) / (1.0 - np.minimum(2.0 / df, 1.0)), math.inf)
        case "exponential", (rate,):
            return rate**-2
        case "half_normal", (scale,):
            return scale**2 * (1.0 - 2.0 / math.pi)
        case "log_normal", (loc, scale):
            return float(scipy.special.expm1(scale**2)) * math.exp(2.0 * loc + scale**2)
    return math.inf


def moments(prior: Prior) -> float:
    """The order below which absolute moments are finite: inf for light tails, the df of a student_t, 0 for `flat`."""
    match prior.name, arguments(prior):
        case "flat", _:
            return 0.0
        case (("cauchy" | "half_cauchy"), _):
            return 1.0
        case "student_t", (df, _, _):
            return float(np.min(df))
    return math.inf

"""The log density of every prior, written out: −∞ outside its support, finite gradients everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import gammaln

from bench.types import Prior

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def _positive(x: jax.Array, log_density: jax.Array) -> jax.Array:
    return jnp.where(x > 0, log_density, -math.inf)


def _normal(x: jax.Array, loc: Any, scale: Any) -> jax.Array:
    return -0.5 * ((x - loc) / scale) ** 2 - (np.log(scale) + _HALF_LOG_2PI)


def _uniform(x: jax.Array, low: Any, high: Any) -> jax.Array:
    return jnp.where((x > low) & (x < high), -np.log(high - low), -math.inf)


def _student_t(x: jax.Array, df: Any, loc: Any, scale: Any) -> jax.Array:
    constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * np.log(df * math.pi) - np.log(scale)
    return constant - (df + 1) / 2 * jnp.log1p(((x - loc) / scale) ** 2 / df)


def _cauchy(x: jax.Array, loc: Any, scale: Any) -> jax.Array:
    return -np.log(math.pi * scale) - jnp.log1p(((x - loc) / scale) ** 2)


def _log_normal(x: jax.Array, loc: Any, scale: Any) -> jax.Array:
    log_x = jnp.log(jnp.where(x > 0, x, 1.0))
    return _positive(x, _normal(log_x, loc, scale) - log_x)


_LOG_DENSITIES: dict[str, Callable[..., jax.Array]] = {
    "flat": jnp.zeros_like,
    "normal": _normal,
    "uniform": _uniform,
    "student_t": _student_t,
    "cauchy": _cauchy,
    "exponential": lambda x, rate: _positive(x, np.log(rate) - rate * x),
    "half_normal": lambda x, scale: _positive(x, math.log(2) + _normal(x, 0.0, scale)),
    "half_cauchy": lambda x, scale: _positive(x, math.log(2) + _cauchy(x, 0.0, scale)),
    "log_normal": _log_normal,
}


def log_prob(prior: Prior, x: jax.Array) -> jax.Array:
    """Elementwise log density of `prior` at x, normalised unless it is flat; constants are computed once, in NumPy."""
    return _LOG_DENSITIES[prior.name](x, *(np.array(a) if isinstance(a, tuple) else a for a in prior.args))

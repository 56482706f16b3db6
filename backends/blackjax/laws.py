"""The log likelihood of each observation law, up to a constant, at the predictors of all rows."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax.nn import log_sigmoid
from jax.scipy.special import gammaln

Arrays = Mapping[str, jax.Array]
Known = Mapping[str, float]


def normal(y: jax.Array, mean: jax.Array, params: Arrays, known: Known) -> jax.Array:
    """Gaussian, up to N/2·log 2π, and up to N·log sigma where sigma is known."""
    squares = jnp.sum((y - mean) ** 2)
    if "sigma" in known:
        return squares * (-0.5 / known["sigma"] ** 2)
    return -y.size * jnp.log(params["sigma"]) - squares / (2 * params["sigma"] ** 2)


def bernoulli(y: jax.Array, logits: jax.Array, params: Arrays, known: Known) -> jax.Array:
    """Bernoulli: log(1 + exp) in the form that never overflows."""
    return log_sigmoid((2 * y - 1) * logits).sum()


def student_t(y: jax.Array, mean: jax.Array, params: Arrays, known: Known) -> jax.Array:
    """Student's t; the terms that depend on df alone are included where df is inferred."""
    sigma, df = (jnp.asarray(known[name], y.dtype) if name in known else params[name] for name in ("sigma", "df"))
    value = -y.size * jnp.log(sigma) - (df + 1) / 2 * jnp.log1p(((y - mean) / sigma) ** 2 / df).sum()
    if "df" in known:
        return value
    return value + y.size * (gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * jnp.log(df))


def binomial(y: jax.Array, logits: jax.Array, params: Arrays, known: Known) -> jax.Array:
    """Binomial of `trials` per row."""
    return (y * log_sigmoid(logits) + (params["trials"] - y) * log_sigmoid(-logits)).sum()


def poisson(y: jax.Array, log_rate: jax.Array, params: Arrays, known: Known) -> jax.Array:
    """Poisson by its log rate: −∞ where exp overflows, never NaN."""
    return (y * log_rate - jnp.exp(log_rate)).sum()


def negative_binomial(y: jax.Array, log_mean: jax.Array, params: Arrays, known: Known) -> jax.Array:
    """Negative binomial of variance mu + mu²/phi; the terms in phi alone are included where phi is inferred."""
    phi = jnp.asarray(known["phi"], y.dtype) if "phi" in known else params["phi"]
    odds = log_mean - jnp.log(phi)
    value = (phi * log_sigmoid(-odds) + y * log_sigmoid(odds)).sum()
    return value if "phi" in known else value + (gammaln(y + phi) - gammaln(phi)).sum()


def gamma(y: jax.Array, log_mean: jax.Array, params: Arrays, known: Known) -> jax.Array:
    """Gamma by its log mean; the terms in the shape alone are included where it is inferred."""
    shape = jnp.asarray(known["shape"], y.dtype) if "shape" in known else params["shape"]
    log_ratio = jnp.log(y) - log_mean
    value = shape * (log_ratio - jnp.exp(log_ratio)).sum()
    return value if "shape" in known else value + y.size * (shape * jnp.log(shape) - gammaln(shape))

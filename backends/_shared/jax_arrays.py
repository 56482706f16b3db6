"""Data, unconstrained vectors and links as JAX arrays, for every framework that stands on it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr
from jax.scipy.stats import norm

from bench.types import Array, Arrays, Dataset, Place


def to_arrays(arrays: Arrays, names: Iterable[str], place: Place) -> dict[str, jax.Array]:
    """The named arrays on the device of `place`, in its dtype but for whole numbers."""
    device = jax.devices(place.device)[0]
    return {name: jax.device_put(_typed(np.asarray(arrays[name]), place), device) for name in names}


def _typed(array: Array, place: Place) -> Array:
    return array if array.dtype.kind == "i" else np.asarray(array, place.dtype)


def split(data: Dataset, z: jax.Array) -> dict[str, jax.Array]:
    """One vector (dim,) as the sites of a model, in order, each in C order."""
    pieces = jnp.split(z, np.cumsum([p.size for p in data.sites])[:-1])
    return {p.name: piece.reshape(p.shape) for p, piece in zip(data.sites, pieces, strict=True)}


def values_and_gradients(
    density: Callable[..., jax.Array], data: Dataset, z: Array, args: object, place: Place
) -> tuple[Array, Array]:
    """density(point, args) and its gradient at all z (…, dim) at once, in the dtype of `place`: (…), (…, dim)."""
    flat = np.asarray(z, place.dtype).reshape(-1, data.dim)
    value, gradient = jax.jit(jax.vmap(jax.value_and_grad(density), (0, None)))(flat, args)
    return np.asarray(value, np.float64).reshape(z.shape[:-1]), np.asarray(gradient, np.float64).reshape(z.shape)


@jax.custom_jvp
def log_normal_cdf(u: jax.Array) -> jax.Array:
    """log Φ(u), whose slope φ/Φ keeps its digits in the lower tail too: JAX's own has exp(−u²/2 − log Φ(u))."""
    return log_ndtr(u, 10)  # 3 terms, the default, leave an error of 4e-9 at −20


@log_normal_cdf.defjvp
def _log_normal_cdf_slope(at: tuple[jax.Array], along: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (u,), (du,) = at, along
    value, far = log_normal_cdf(u), jnp.maximum(-u, 10.0)
    # Laplace's continued fraction of the inverse Mills ratio, exact to rounding from 10 on
    slope = functools.reduce(lambda rest, k: far + k / rest, range(20, 0, -1), far)
    return value, du * jnp.where(u < -10.0, slope, jnp.exp(norm.logpdf(u) - value))


LOG_ODDS: Mapping[str, Callable[[jax.Array], jax.Array]] = {
    "": lambda eta: eta,
    "probit": lambda eta: log_normal_cdf(eta) - log_normal_cdf(-eta),
}
"""By link, what a law takes for a predictor: the log odds where it is not the usual link; exact in both tails."""

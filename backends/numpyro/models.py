"""Each family as a NumPyro model of its arrays, and the log density NumPyro makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer.util import potential_energy

from backends.numpyro.priors import distribution
from bench.types import Array, Arrays, Dataset, Place

Model = Callable[..., None]


def linear(data: Dataset) -> Model:
    """y ~ Normal(X·weights + bias, sigma)."""

    def model(X: jax.Array, y: jax.Array) -> None:
        params = _sample(data)
        mean = X @ params["weights"] + params.get("bias", 0.0)
        sigma = params["sigma"] if "sigma" in params else data.priors["sigma"].args[0]
        with numpyro.plate("observations", len(y)):
            numpyro.sample("y", dist.Normal(mean, sigma), obs=y)

    return model


def two_groups(data: Dataset) -> Model:
    """Two groups, each Normal with its own mean and scale."""

    def model(y1: jax.Array, y2: jax.Array) -> None:
        params = _sample(data)
        for i, y in enumerate((y1, y2)):
            with numpyro.plate(f"group_{i + 1}", len(y)):
                numpyro.sample(f"y{i + 1}", dist.Normal(params["mu"][i], params["sigma"][i]), obs=y)

    return model


MODELS: dict[str, tuple[Callable[[Dataset], Model], tuple[str, ...]]] = {
    "linear": (linear, ("x", "y")),
    "two_groups": (two_groups, ("y1", "y2")),
}


def model(data: Dataset) -> Model:
    """The model of the data's family; only names, shapes and priors of `data` are used."""
    return MODELS[data.family][0](data)


def to_arrays(arrays: Arrays, data: Dataset, place: Place) -> tuple[jax.Array, ...]:
    """The model's arguments on the device of `place`, in its dtype."""
    device = jax.devices(place.device)[0]
    names = MODELS[data.family][1]
    return tuple(jax.device_put(np.asarray(arrays[name], place.dtype), device) for name in names)


def log_density(data: Dataset, z: Array, place: Place | None = None) -> tuple[Array, Array]:
    """Value (…) and gradient (…, dim) at unconstrained z, up to a constant, in the dtype of `place`."""
    place = place or Place()
    made, args = model(data), to_arrays(data.arrays, data, place)
    stops = np.cumsum([p.size for p in data.parameters])[:-1]

    def density(point: jax.Array, args: tuple[jax.Array, ...]) -> Any:
        pieces = jnp.split(point, stops)
        sites = {p.name: piece.reshape(p.shape) for p, piece in zip(data.parameters, pieces, strict=True)}
        return -potential_energy(made, args, {}, sites)

    flat = np.asarray(z, place.dtype).reshape(-1, data.dim)
    value, gradient = jax.jit(jax.vmap(jax.value_and_grad(density), (0, None)))(flat, args)
    return np.asarray(value, np.float64).reshape(z.shape[:-1]), np.asarray(gradient, np.float64).reshape(z.shape)


def _sample(data: Dataset) -> dict[str, jax.Array]:
    return {p.name: numpyro.sample(p.name, distribution(data.priors[p.name], p)) for p in data.parameters}

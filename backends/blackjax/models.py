"""Each family's log density in JAX, of one point and written by hand; samplers map it over chains."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from backends._shared import jax_arrays
from backends._shared import own as code
from backends._shared.jax_arrays import LOG_ODDS
from backends.blackjax import laws
from backends.blackjax.priors import log_prob
from bench.types import Array, Arrays, Dataset, Place


def constrain(data: Dataset, z: jax.Array) -> tuple[dict[str, jax.Array], jax.Array]:
    """Unconstrained (dim,) → sites, and log |dθ/dz|: identity, log or interval logit by support."""
    params, log_jacobian = jax_arrays.split(data, z), jnp.zeros((), z.dtype)
    for p in data.sites:
        u = params[p.name]
        if np.isfinite(p.upper):
            width = p.upper - p.lower
            params[p.name] = p.lower + width * jax.nn.sigmoid(u)
            slope = np.log(width) + jax.nn.log_sigmoid(u) + jax.nn.log_sigmoid(-u)
        elif np.isfinite(p.lower):
            params[p.name] = p.lower + jnp.exp(u)
            slope = u
        else:
            continue
        log_jacobian = log_jacobian + slope.sum()
    return params, log_jacobian


def unconstrained(data: Dataset, arrays: laws.Arrays, z: jax.Array) -> jax.Array:
    """Log posterior density of z (dim,), Jacobian included, up to a constant."""
    params, total = constrain(data, z)
    for p in () if data.source else data.sites:
        if p.name in data.priors and data.priors[p.name].name != "flat":
            total = total + log_prob(data.priors[p.name], params[p.name]).sum()
    return total + MODELS[data.model](data, arrays, params)


def _regression(law: Callable[..., jax.Array]) -> Callable[[Dataset, laws.Arrays, laws.Arrays], jax.Array]:
    """The log density of y under law(y, X·weights + bias + offset, parameters and arrays, known parameters).

    With that of the intercepts where these are by group.
    """

    def log_likelihood(data: Dataset, arrays: laws.Arrays, params: laws.Arrays) -> jax.Array:
        known = {name: prior.args[0] for name, prior in data.priors.items() if prior.name == "known"}
        intercept, of_effects = params.get("bias", 0.0), 0.0
        if "group" in arrays:
            a, of_effects = _effects(data, params)
            intercept = a[arrays["group"].astype(int)]
        slope = arrays["x"] @ params["weights"] if "weights" in params else 0.0
        predictor = LOG_ODDS[data.link](slope + intercept + arrays.get("offset", 0.0))
        return of_effects + law(arrays["y"], predictor, {**arrays, **params}, known)

    return log_likelihood


def two_groups(data: Dataset, arrays: laws.Arrays, params: laws.Arrays) -> jax.Array:
    """Gaussian log likelihood of two groups with their own mean and scale, up to a constant."""
    groups = enumerate((arrays["y1"], arrays["y2"]))
    return sum(laws.normal(y, params["mu"][i], {"sigma": params["sigma"][i]}, {}) for i, y in groups)  # type: ignore[return-value]


def eight_schools(data: Dataset, arrays: laws.Arrays, params: laws.Arrays) -> jax.Array:
    """Normal estimates with known errors of normal effects, up to a constant."""
    theta, log_density = _effects(data, params)
    return log_density - 0.5 * jnp.sum(((arrays["y"] - theta) / arrays["errors"]) ** 2)


def _effects(data: Dataset, params: laws.Arrays) -> tuple[jax.Array, jax.Array]:
    """Effects (J,) of a hierarchy and the log density of what is sampled for them, themselves or eta."""
    mu, tau = params["mu"], params["tau"]
    if data.coordinates:
        return mu + tau * params["eta"], -0.5 * jnp.sum(params["eta"] ** 2)
    effects = next(params[p.name] for p in data.parameters if p.name not in data.priors)
    return effects, -0.5 * jnp.sum(((effects - mu) / tau) ** 2) - effects.size * jnp.log(tau)


def own(data: Dataset, arrays: laws.Arrays, params: laws.Arrays) -> jax.Array:
    """`log_density(data, params)` of `jax.py` in the folder of a user's model: priors and all."""
    density: Callable[..., jax.Array] = code.function(data, "jax", "log_density")
    return density({**arrays, **code.sizes(data)}, params)


MODELS: dict[str, Callable[[Dataset, laws.Arrays, laws.Arrays], jax.Array]] = {
    "linear": _regression(laws.normal),
    "two_groups": two_groups,
    "logistic": _regression(laws.bernoulli),
    "robust": _regression(laws.student_t),
    "binomial": _regression(laws.binomial),
    "poisson": _regression(laws.poisson),
    "negative_binomial": _regression(laws.negative_binomial),
    "gamma": _regression(laws.gamma),
    "eight_schools": eight_schools,
    "varying_intercept": _regression(laws.normal),
    "grouped_regression": lambda data, arrays, params: MODELS[data.law](data, arrays, params),
    "model": own,
}


def to_arrays(arrays: Arrays, data: Dataset, place: Place) -> dict[str, jax.Array]:
    """What a density takes as `arrays`, on the device of `place`: all but whole numbers alone, which are sizes."""
    return jax_arrays.to_arrays(arrays, code.arrays(data), place)


def log_density(data: Dataset, z: Array, place: Place | None = None) -> tuple[Array, Array]:
    """Value (…) and gradient (…, dim) at unconstrained z, up to a constant, in the dtype of `place`."""
    place = place or Place()

    def density(point: jax.Array, arrays: laws.Arrays) -> jax.Array:
        return unconstrained(data, arrays, point)

    return jax_arrays.values_and_gradients(density, data, z, to_arrays(data.arrays, data, place), place)

"""NumPyro's autoguides as q(z) over the unconstrained vector, parameters in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro.infer import autoguide

from backends._shared.jax_arrays import split
from bench.types import Dataset

AUTOGUIDES: dict[str, Callable[..., autoguide.AutoGuide]] = {
    "normal": autoguide.AutoNormal,
    "multivariate": autoguide.AutoMultivariateNormal,
    "low_rank": autoguide.AutoLowRankMultivariateNormal,
    "iaf": autoguide.AutoIAFNormal,
}

Params = dict[str, jax.Array]


def start(guide: Any, data: Dataset, z: jax.Array) -> Params:
    """Parameters at which q is centred at z; scales, and a flow altogether, begin as NumPyro begins them."""
    if isinstance(guide, autoguide.AutoNormal):
        return centred(split(data, z))
    if isinstance(guide, autoguide.AutoIAFNormal):
        return {}
    return {"auto_loc": jnp.zeros_like(z).at[_order(guide, data)].set(z)}


def centred(sites: Params) -> Params:
    """The parameters that say where a guide of independent sites is."""
    return {f"{name}_auto_loc": x for name, x in sites.items()}


def sample(guide: Any, data: Dataset, params: Params, key: jax.Array, draws: int) -> tuple[jax.Array, jax.Array]:
    """Independent draws z (n, dim) of q with their log densities (n,)."""
    if isinstance(guide, autoguide.AutoNormal):
        q: Any = dist.Normal(*_independent(data, params)).to_event(1)
        z = q.sample(key, (draws,))
        return z, q.log_prob(z)
    q = dist.TransformedDistribution(guide.get_base_dist(), guide.get_transform(params))
    latent, between = q.sample_with_intermediates(key, (draws,))  # a flow is not easily inverted
    return latent[:, _order(guide, data)], q.log_prob(latent, between)


def moments(guide: Any, data: Dataset, params: Params) -> tuple[jax.Array, jax.Array] | None:
    """Mean and sd of each z under a Gaussian q; None of a flow."""
    if isinstance(guide, autoguide.AutoIAFNormal):
        return None
    if isinstance(guide, autoguide.AutoNormal):
        return _independent(data, params)
    q, order = guide.get_posterior(params), _order(guide, data)
    return q.mean[order], jnp.sqrt(q.variance)[order]


def _independent(data: Dataset, params: Params) -> tuple[jax.Array, jax.Array]:
    loc, scale = (
        jnp.concatenate([params[f"{p.name}_auto_{what}"].ravel() for p in data.sites]) for what in ("loc", "scale")
    )
    return loc, scale


def _order(guide: Any, data: Dataset) -> jax.Array:
    """Where in the vector of an autoguide, whose sites are in an order of its own, each z is."""
    places = guide._unpack_latent(jnp.arange(data.dim))
    return jnp.concatenate([places[p.name].ravel() for p in data.sites])

"""The local level model as a log density in JAX, of one point."""

import jax.numpy as jnp
from jax.scipy.stats import norm


def log_density(data, params):
    """Parameters of their own shape → a number."""
    start, drift, noise = (params[name] for name in ("start", "drift", "noise"))
    level = start + drift * jnp.cumsum(params["step"])
    return (
        norm.logpdf(start, 0.0, 2.0)
        + 2 * jnp.log(2.0)
        + norm.logpdf(drift)
        + norm.logpdf(noise)
        + norm.logpdf(params["step"]).sum()
        + norm.logpdf(data["y"], level, noise).sum()
    )

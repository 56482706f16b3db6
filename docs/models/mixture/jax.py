"""The mixture as a log density in JAX, of one point."""

import jax.numpy as jnp
from jax.scipy.stats import beta, norm


def half_normal(x, scale):
    """Log density of |Normal(0, scale)|."""
    return jnp.log(2.0) + norm.logpdf(x, 0.0, scale)


def log_density(data, params):
    """Parameters of their own shape → a number."""
    low, gap, sigma, share = (params[name] for name in ("low", "gap", "sigma", "share"))
    first = norm.logpdf(data["y"], low, sigma) + jnp.log1p(-share)
    second = norm.logpdf(data["y"], low + gap, sigma) + jnp.log(share)
    return (
        norm.logpdf(low, 0.0, 3.0)
        + half_normal(gap, 3.0)
        + half_normal(sigma, 2.0)
        + beta.logpdf(share, 2.0, 2.0)
        + jnp.logaddexp(first, second).sum()
    )

"""The Gaussian process as a log density in JAX, of one point."""

import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jax.scipy.stats import norm


def half_normal(x, scale):
    """Log density of |Normal(0, scale)|."""
    return jnp.log(2.0) + norm.logpdf(x, 0.0, scale)


def log_density(data, params):
    """Parameters of their own shape → a number."""
    rho, alpha, sigma = (params[name] for name in ("rho", "alpha", "sigma"))
    distance = data["x"][:, None] - data["x"]
    covariance = alpha**2 * jnp.exp(-0.5 * (distance / rho) ** 2) + (sigma**2 + 1e-6) * jnp.eye(data["n"])
    factor = jnp.linalg.cholesky(covariance)
    whitened = solve_triangular(factor, data["y"], lower=True)
    return (
        norm.logpdf(jnp.log(rho), 0.0, 0.5)
        - jnp.log(rho)
        + half_normal(alpha, 2.0)
        + half_normal(sigma, 1.0)
        + norm.logpdf(whitened).sum()
        - jnp.log(jnp.diagonal(factor)).sum()
    )

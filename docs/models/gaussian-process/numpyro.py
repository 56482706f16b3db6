"""The Gaussian process in NumPyro."""

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def model(x, y, n):
    """y is multivariate normal of covariance alpha²·exp(−(x − x')²/(2·rho²)) + sigma²·I."""
    rho = numpyro.sample("rho", dist.LogNormal(0.0, 0.5))
    alpha = numpyro.sample("alpha", dist.HalfNormal(2.0))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1.0))
    distance = x[:, None] - x
    covariance = alpha**2 * jnp.exp(-0.5 * (distance / rho) ** 2) + (sigma**2 + 1e-6) * jnp.eye(n)
    numpyro.sample("y", dist.MultivariateNormal(jnp.zeros(n), covariance), obs=y)

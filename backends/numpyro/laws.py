"""Observation laws by the logarithm of their mean, of finite density or −∞ however far out the predictor lies."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax.scipy.special import gammaln


class LogPoisson(dist.Poisson):
    """A Poisson of mean exp(log_rate): NumPyro's own takes the logarithm of a rate that may have overflowed."""

    def __init__(self, log_rate: jax.Array) -> None:
        self.log_rate = log_rate
        super().__init__(jnp.exp(log_rate))

    def log_prob(self, value: jax.Array) -> jax.Array:
        """y·log rate − rate − log y!"""
        return value * self.log_rate - self.rate - gammaln(value + 1.0)


class LogGamma(dist.Gamma):
    """A Gamma of mean exp(log_mean)."""

    def __init__(self, shape: jax.Array, log_mean: jax.Array) -> None:
        self.log_rate = jnp.log(shape) - log_mean
        super().__init__(shape, jnp.exp(self.log_rate))

    def log_prob(self, value: jax.Array) -> jax.Array:
        """That of Gamma(shape, rate) by log rate."""
        shape = self.concentration
        return shape * self.log_rate + (shape - 1.0) * jnp.log(value) - self.rate * value - gammaln(shape)

"""The local level model in NumPyro."""

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def model(y, steps):
    """level_t = start + drift·(step_1 + … + step_t), y_t about it."""
    start = numpyro.sample("start", dist.Normal(0.0, 2.0))
    drift = numpyro.sample("drift", dist.HalfNormal(1.0))
    noise = numpyro.sample("noise", dist.HalfNormal(1.0))
    step = numpyro.sample("step", dist.Normal(0.0, jnp.ones(steps)).to_event(1))
    numpyro.sample("y", dist.Normal(start + drift * jnp.cumsum(step), noise), obs=y)

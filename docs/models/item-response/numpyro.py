"""Item response in NumPyro."""

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def model(person, item, y, persons, items):
    """Logit of a right answer is ability − difficulty."""
    sigma = numpyro.sample("sigma", dist.HalfNormal(2.0))
    ability = numpyro.sample("ability", dist.Normal(0.0, sigma * jnp.ones(persons)).to_event(1))
    difficulty = numpyro.sample("difficulty", dist.Normal(0.0, jnp.ones(items)).to_event(1))
    numpyro.sample("y", dist.Bernoulli(logits=ability[person] - difficulty[item]), obs=y)

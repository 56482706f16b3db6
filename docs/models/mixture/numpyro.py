"""The mixture in NumPyro, summed over components."""

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def model(y):
    """`share` of the observations lie about low + gap, the others about low."""
    low = numpyro.sample("low", dist.Normal(0.0, 3.0))
    gap = numpyro.sample("gap", dist.HalfNormal(3.0))
    sigma = numpyro.sample("sigma", dist.HalfNormal(2.0))
    share = numpyro.sample("share", dist.Beta(2.0, 2.0))
    components = dist.Normal(jnp.stack([low, low + gap]), sigma)
    weights = dist.Categorical(probs=jnp.stack([1.0 - share, share]))
    numpyro.sample("y", dist.MixtureSameFamily(weights, components), obs=y)

"""Item response as a log density in JAX, of one point."""

import jax.numpy as jnp
from jax.nn import log_sigmoid
from jax.scipy.stats import norm


def log_density(data, params):
    """Parameters of their own shape → a number."""
    sigma, ability, difficulty = params["sigma"], params["ability"], params["difficulty"]
    logits = ability[data["person"]] - difficulty[data["item"]]
    return (
        jnp.log(2.0)
        + norm.logpdf(sigma, 0.0, 2.0)
        + norm.logpdf(ability, 0.0, sigma).sum()
        + norm.logpdf(difficulty).sum()
        + log_sigmoid((2 * data["y"] - 1) * logits).sum()
    )

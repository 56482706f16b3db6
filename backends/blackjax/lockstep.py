"""Transitions of adjusted MCLMC that count the steps which all chains take in lockstep, beside their random key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from blackjax.mcmc import adjusted_mclmc_dynamic as adjusted

from backends.blackjax.sampler import CHAINS, Density


def start(key: jax.Array, position: jax.Array, density: Density) -> Any:
    """The state of a chain at its start, for which a gradient is evaluated."""
    return adjusted.init(position, density, (jax.random.key_data(key), jnp.zeros((), int)))


def counting() -> Callable[..., tuple[Any, Any]]:
    """A transition, its trajectory of a random length; chains are mapped over the axis CHAINS."""
    steps = adjusted.make_random_trajectory_length_fn(True)
    transition = adjusted.build_kernel(
        integration_steps_fn=lambda arg, mean: steps(arg[0], mean),
        next_random_arg_fn=lambda arg: (jax.random.split(arg[0])[1], arg[1]),
    )

    def kernel(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        state, info = transition(*args, **kwargs)
        key, count = state.random_generator_arg
        count = count + jax.lax.pmax(info.num_integration_steps, CHAINS)
        return state._replace(random_generator_arg=(key, count)), info

    return kernel


def executed(state: Any) -> jax.Array:
    """Steps of the longest chain in each transition so far."""
    return state.random_generator_arg[1]

"""Adjusted microcanonical Langevin Monte Carlo of BlackJAX: a Metropolis test at the end of every trajectory.

Without that test the sampler is faster and biased by its step size (Robnik et al. 2023): it is not offered here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import blackjax
import jax
import jax.numpy as jnp
from blackjax.mcmc import adjusted_mclmc_dynamic as adjusted

from backends.blackjax.sampler import Density, Moves, Program, Work, compile, draw, fit
from bench.types import Budget, Dataset, Place, Unsupported, option

__all__ = ["DEFAULTS", "DEVICES", "KIND", "Options", "build", "compile", "draw", "fit"]

KIND = "mcmc"
DEVICES = ("cpu", "cuda")
DEFAULTS = {"target_accept": 0.65}
"""What its authors take; the library's function has no default of its own."""
PER_STEP = 2
"""Gradients of a step of McLachlan's integrator, the library's choice."""


@dataclass(frozen=True)
class Options:
    """How it is tuned; the metric is diagonal, inits are U(−2, 2) unconstrained."""

    target_accept: float = option(0.8, "target acceptance probability of step-size adaptation")
    trajectory: float = option(2.0, "mean number of integrator steps of a trajectory")


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Write warmup and sampling as functions of a key and a log density; Unsupported for one scalar alone."""
    if data.dim < 2:
        raise Unsupported("one scalar is to be inferred; velocities of constant length need two or more")
    if options.trajectory < 1.2:
        raise Unsupported(f"trajectory={options.trajectory:g}; the library's tuning needs 1.2 or more")
    return Program(budget, place, budget.chains, partial(_warm, budget, options), partial(_sample, budget))


def _kernel() -> Callable[..., tuple[Any, Any]]:
    """A transition whose state also counts the steps that all chains took in lockstep, beside its random key."""
    steps = adjusted.make_random_trajectory_length_fn(True)
    transition = adjusted.build_kernel(
        integration_steps_fn=lambda arg, mean: steps(arg[0], mean),
        next_random_arg_fn=lambda arg: (jax.random.split(arg[0])[1], arg[1]),
    )

    def kernel(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        state, info = transition(*args, **kwargs)
        key, count = state.random_generator_arg
        count = count + jax.lax.pmax(info.num_integration_steps, "chains")
        return state._replace(random_generator_arg=(key, count)), info

    return kernel


def _warm(budget: Budget, options: Options, key: jax.Array, starts: jax.Array, density: Density) -> tuple[Any, Work]:
    """States and tuned parameters per chain. A start costs a gradient; the tuning's three parts are equally long."""

    def chain(key: jax.Array, start: jax.Array) -> tuple[Any, jax.Array, jax.Array]:
        lengths, tuning = jax.random.split(key)
        state = adjusted.init(start, density, (jax.random.key_data(lengths), jnp.zeros((), int)))
        state, tuned, taken = blackjax.adjusted_mclmc_find_L_and_step_size(
            _kernel(), density, budget.warmup, state, tuning, options.target_accept,
            frac_tune1=1 / 3, frac_tune2=1 / 3, target_num_integration_steps=options.trajectory,
        )  # fmt: skip
        return (state, tuned), taken, state.random_generator_arg[1]

    tuned, taken, executed = jax.vmap(chain, axis_name="chains")(jax.random.split(key, len(starts)), starts)
    return tuned, Work(PER_STEP * taken + 1, PER_STEP * executed.max() + 1)


def _sample(budget: Budget, key: jax.Array, tuned: Any, density: Density) -> Moves:
    """Draws with everything held fixed."""
    kernel = _kernel()

    def chain(key: jax.Array, state: Any, tuned: Any) -> Any:
        def step(state: Any, key: jax.Array) -> tuple[Any, Any]:
            state, info = kernel(
                key, state, density, tuned.step_size, inverse_mass_matrix=tuned.inverse_mass_matrix,
                integration_steps_params=(tuned.L / tuned.step_size,),
            )  # fmt: skip
            more = {"diverging": info.is_divergent, "accept_prob": info.acceptance_rate}
            return state, Moves(state.position, state.logdensity, PER_STEP * info.num_integration_steps, more)

        return jax.lax.scan(step, state, jax.random.split(key, budget.draws))[1]

    moves: Moves = jax.vmap(chain, axis_name="chains")(jax.random.split(key, budget.chains), *tuned)
    return moves

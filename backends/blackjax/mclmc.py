"""Adjusted microcanonical Langevin Monte Carlo of BlackJAX: a Metropolis test at the end of every trajectory.

Without that test the sampler is faster and biased by its step size (Robnik et al. 2023): it is not offered here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import blackjax
import jax

from backends.blackjax import lockstep
from backends.blackjax.sampler import CHAINS, Density, Program, Step, Work, compile, draw, fit, resume
from bench.types import Budget, Dataset, Place, Unsupported, option

__all__ = ["DEFAULTS", "DEVICES", "KIND", "Options", "build", "compile", "draw", "fit", "resume"]

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
    """Write warmup and transitions as functions of a key and a log density; Unsupported for one scalar alone."""
    if data.dim < 2:
        raise Unsupported("one scalar is to be inferred; velocities of constant length need two or more")
    if options.trajectory < 1.2:
        raise Unsupported(f"trajectory={options.trajectory:g}; the library's tuning needs 1.2 or more")
    warm = partial(_warm, budget, options)
    return Program(budget, place, budget.chains, warm, _step, per_step=PER_STEP, energy=False)


def _warm(budget: Budget, options: Options, key: jax.Array, starts: jax.Array, density: Density) -> tuple[Any, Work]:
    """States and tuned parameters per chain. A start costs a gradient; the tuning's three parts are equally long."""

    def chain(key: jax.Array, start: jax.Array) -> tuple[Any, jax.Array, jax.Array]:
        lengths, tuning = jax.random.split(key)
        state = lockstep.start(lengths, start, density)
        state, tuned, taken = blackjax.adjusted_mclmc_find_L_and_step_size(
            lockstep.counting(), density, budget.warmup, state, tuning, options.target_accept,
            frac_tune1=1 / 3, frac_tune2=1 / 3, target_num_integration_steps=options.trajectory,
        )  # fmt: skip
        return (state, tuned), taken, lockstep.executed(state)

    tuned, taken, executed = jax.vmap(chain, axis_name=CHAINS)(jax.random.split(key, len(starts)), starts)
    return tuned, Work(PER_STEP * taken + 1, PER_STEP * executed.max() + 1)


def _step(density: Density) -> Step:
    """A transition with everything held fixed."""
    kernel = lockstep.counting()

    def step(key: jax.Array, state: Any, found: Any) -> tuple[Any, Any]:
        metric, length = found.inverse_mass_matrix, found.L / found.step_size
        return kernel(
            key, state, density, found.step_size, inverse_mass_matrix=metric, integration_steps_params=(length,)
        )

    return step

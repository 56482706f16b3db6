"""ChEES-HMC of BlackJAX: one step size, trajectory length and metric, tuned on many chains (Hoffman et al. 2021).

An ensemble warms up; the budget's chains are the first of it, and they alone go on. All chains take the same number of
leapfrog steps, a quasi-random share of the tuned length, so that none waits for another.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from blackjax.adaptation.base import get_filter_adapt_info_fn
from blackjax.mcmc.dynamic_hmc import halton_sequence

from backends._shared import trajectories
from backends.blackjax.sampler import Density, Program, Step, Work, compile, draw, fit, resume
from bench.types import Budget, Dataset, Place, option

__all__ = ["DEFAULTS", "DEVICES", "KIND", "Options", "build", "compile", "draw", "fit", "resume"]

KIND = "mcmc"
DEVICES = ("cpu", "cuda")
DEFAULTS = {"target_accept": 0.651, "metric": "identity"}
"""Those of `chees_adaptation`, which leaves optimiser, first step size and number of chains to its user."""

MOST_BITS = 30
"""Of the sequence of lengths, where nobody knows how many draws there will be; an int32 holds so many."""


@dataclass(frozen=True)
class Options:
    """How the ensemble is tuned; inits are U(−2, 2) unconstrained, drawn anew where the density is not finite."""

    ensemble: int = option(32, "chains that warm up together; at least as many as the budget has")
    target_accept: float = option(0.8, "target of step-size adaptation, for the harmonic mean over the ensemble")
    metric: Literal["diagonal", "identity"] = option("diagonal", "metric; diagonal: of the ensemble's later warmup")
    step_size: float = option(0.1, "step size and trajectory length of the first warmup step")
    lr: float = option(0.025, "learning rate of Adam on the log trajectory length")
    max_steps: int = option(1000, "leapfrog steps of a trajectory at most")
    superchains: int = option(8, "starts that the chains share, for nested R-hat; 0: a start for each")


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Write warmup and transitions as functions of a key and a log density; Unsupported for an ensemble of one."""
    chains = trajectories.ensemble(options, budget)
    warm, step = partial(_warm, budget, options), partial(_step, budget)
    return Program(budget, place, chains, warm, step, together=True, superchains=min(options.superchains, chains))


def _warm(budget: Budget, options: Options, key: jax.Array, starts: jax.Array, density: Density) -> tuple[Any, Work]:
    """States of the budget's chains and what was tuned. A start costs a gradient, a leapfrog step another."""
    adaptation = blackjax.chees_adaptation(
        density, len(starts), target_acceptance_rate=options.target_accept, max_leapfrog_steps=options.max_steps,
        mass_matrix_estimation="diagonal" if options.metric == "diagonal" else None,
        adaptation_info_fn=get_filter_adapt_info_fn(info_keys={"num_integration_steps"}),
    )  # fmt: skip
    (states, tuned), record = adaptation.run(
        key, starts, options.step_size, optax.adam(options.lr), budget.warmup, max_sampling_steps=budget.draws
    )
    steps = record.info.num_integration_steps
    kept = jax.tree.map(lambda x: x[: budget.chains], states)
    parameters = tuned["step_size"], tuned["inverse_mass_matrix"], tuned["integration_steps_params"]
    return (kept, parameters), Work(steps.sum(0) + 1, steps.max(1).sum() + 1)


def _step(budget: Budget, density: Density) -> Step:
    """A transition with everything held fixed; the sequence of lengths goes on where the warmup left it."""
    bits = MOST_BITS if budget.until else int(np.ceil(np.log2(budget.warmup + budget.draws)))
    kernel = blackjax.dhmc.build_kernel(
        next_random_arg_fn=lambda i: i + 1,
        integration_steps_fn=lambda i, most: jnp.ceil(halton_sequence(i, bits) * most).astype(int),
    )
    return lambda key, state, tuned: kernel(key, state, density, *tuned)

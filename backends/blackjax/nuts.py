"""NUTS of BlackJAX after its window adaptation, each chain tuned by itself and all of them in lockstep.

Warmup and sampling are two programs, compiled ahead of time once and timed apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import blackjax
import jax
from blackjax.adaptation.base import get_filter_adapt_info_fn

from backends.blackjax.sampler import Density, Program, Step, Work, compile, draw, fit, resume
from bench.types import Budget, Dataset, Place, option

__all__ = ["DEVICES", "KIND", "Options", "build", "compile", "draw", "fit", "resume"]

KIND = "mcmc"
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Options:
    """How the sampler is tuned; inits are U(−2, 2) unconstrained, drawn anew where the density is not finite."""

    target_accept: float = option(0.8, "target acceptance probability of step-size adaptation")
    max_tree_depth: int = option(10, "doublings of a trajectory at most")
    dense_mass: bool = option(False, "adapt a dense metric instead of a diagonal one")


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Write warmup and transitions as functions of a key and a log density."""
    warm, step = partial(_warm, budget, options), partial(_step, options)
    return Program(budget, place, budget.chains, warm, step, longest=2**options.max_tree_depth - 1)


def _warm(budget: Budget, options: Options, key: jax.Array, starts: jax.Array, density: Density) -> tuple[Any, Work]:
    """States and tuned parameters per chain. A start costs a gradient; there is no search for a first step size."""
    adaptation = blackjax.window_adaptation(
        blackjax.nuts, density, not options.dense_mass, target_acceptance_rate=options.target_accept,
        max_num_doublings=options.max_tree_depth,
        adaptation_info_fn=get_filter_adapt_info_fn(info_keys={"num_integration_steps"}),
    )  # fmt: skip

    def chain(key: jax.Array, start: jax.Array) -> tuple[Any, jax.Array]:
        (state, tuned), record = adaptation.run(key, start, budget.warmup)
        return (state, (tuned["step_size"], tuned["inverse_mass_matrix"])), record.info.num_integration_steps

    tuned, steps = jax.vmap(chain)(jax.random.split(key, len(starts)), starts)
    return tuned, Work(steps.sum(1) + 1, steps.max(0).sum() + 1)


def _step(options: Options, density: Density) -> Step:
    """A transition with everything held fixed."""
    kernel = blackjax.nuts.build_kernel()
    return lambda key, state, tuned: kernel(key, state, density, *tuned, options.max_tree_depth)

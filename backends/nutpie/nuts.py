"""NUTS of nutpie, in Rust over the density that Numba compiles of a PyMC model; it runs all chains itself.

Chains that go on do so in nutpie's background, with a thread for each: it is paused where they are looked at.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

import numpy as np
import nutpie

from backends._shared import pymc_models as shared
from backends._shared.program import Program
from backends._shared.pytensor import compiling
from backends.nutpie import models
from backends.nutpie.chains import State, begin, draw, resume
from bench.types import Budget, Clock, Dataset, Place, Unsupported, option

__all__ = ["DEFAULTS", "KIND", "Options", "build", "compile", "draw", "fit", "resume"]

KIND = "mcmc"
DEFAULTS = {"init": "jitter"}


@dataclass(frozen=True)
class Options:
    """How chains start and are tuned; as many of them run at once as there are threads."""

    init: Literal["uniform", "jitter"] = option(
        "uniform", "U(−2, 2), or PyMC's U(−1, 1) around the middle of the prior"
    )
    target_accept: float = option(0.8, "target acceptance probability of step-size adaptation")
    max_tree_depth: int = option(10, "doublings of a trajectory at most")
    gradient_metric: bool = option(True, "adapt the metric to gradients too, as nutpie does; false: to draws alone")
    low_rank: bool = option(False, "adapt a diagonal metric and its leading directions instead of a diagonal one")


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Write the model; Unsupported without a warmup."""
    if not budget.warmup:
        raise Unsupported("warmup=0: nutpie adapts in one draw at least")
    if options.low_rank and not options.gradient_metric:
        raise Unsupported("gradient_metric=false needs low_rank=false")
    return Program(models.model(data), data, budget, options, place)


def compile(program: Program, data: Dataset) -> None:
    """Compile density, gradient and parameters of a draw; the arrays are no part of them."""
    with compiling("numba"):
        made = nutpie.compile_pymc_model(program.written, var_names=data.names)
    if program.options.init == "uniform":
        made = dataclasses.replace(
            made, initial_point_func=lambda seed: np.random.default_rng(seed).uniform(-2, 2, made.n_dim)
        )
    program.compiled = made


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Warm up and sample all chains."""
    options, budget = program.options, program.budget
    metric = {} if options.low_rank else {"use_grad_based_mass_matrix": options.gradient_metric}
    settings = {
        **{"seed": seed, "low_rank_modified_mass_matrix": options.low_rank, "target_accept": options.target_accept},
        **{"maxdepth": options.max_tree_depth, **metric},
    }
    with clock("transfer"):
        compiled = program.ready.with_data(**shared.by_name(data.arrays, data))
    with clock("warmup+sample"):
        if budget.until:
            return begin(program, compiled, **settings)
        found = nutpie.sample(
            compiled, draws=budget.draws, tune=budget.warmup, chains=budget.chains, cores=program.place.threads,
            progress_bar=False, return_raw_trace=True, **settings,
        )  # fmt: skip
    return State(program, found.get_arrow_trace(), 0, budget.warmup + budget.draws, budget.warmup)

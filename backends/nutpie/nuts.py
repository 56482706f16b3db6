"""NUTS of nutpie, in Rust over the density that Numba compiles of a PyMC model; it runs all chains itself."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import nutpie

from backends._shared import pymc_models as shared
from backends._shared.program import Program
from backends._shared.pytensor import compiling
from backends.nutpie import models, trace
from bench.types import Budget, Clock, Dataset, Fit, Place, Unsupported, option

KIND = "mcmc"
DEFAULTS = {"init": "jitter"}
ENDS = "nutpie makes as many draws as it was told; it takes no step size and no metric that were learned"


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


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> tuple[Program, Any]:
    """Warm up and sample all chains."""
    options, budget = program.options, program.budget
    metric = {} if options.low_rank else {"use_grad_based_mass_matrix": options.gradient_metric}
    with clock("transfer"):
        compiled = program.ready.with_data(**shared.by_name(data.arrays, data))
    with clock("warmup+sample"):
        found = nutpie.sample(
            compiled, draws=budget.draws, tune=budget.warmup, chains=budget.chains, seed=seed,
            cores=program.place.threads, low_rank_modified_mass_matrix=options.low_rank,
            target_accept=options.target_accept, maxdepth=options.max_tree_depth, progress_bar=False,
            return_raw_trace=True, **metric,
        )  # fmt: skip
    return program, found


def draw(state: tuple[Program, Any]) -> Fit:
    """Draws (chain, draw, …) with the gradients of their trees."""
    program, found = state
    of_draws, of_stats = found.get_arrow_trace()
    draws = trace.draws(of_draws, program.data.parameters, program.budget.warmup)
    return Fit("mcmc", draws, stats=trace.statistics(of_stats, program.budget.warmup))

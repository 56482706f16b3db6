"""NUTS of nutpie, in Rust over the density that Numba compiles of a PyMC model; it runs all chains itself."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import nutpie
import pyarrow
import pymc as pm

from backends._shared import pymc_models as shared
from backends._shared.pytensor import compiling
from backends.nutpie import models
from bench.types import Array, Budget, Clock, Dataset, Fit, Parameter, Place, Unsupported, option

KIND = "mcmc"
DEFAULTS = {"init": "jitter"}
STATS = ("n_steps", "diverging", "energy", "logp", "mean_tree_accept", "maxdepth_reached")


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


@dataclass
class Program:
    """The model, and what `compile` has made of it."""

    model: pm.Model
    parameters: tuple[Parameter, ...]
    budget: Budget
    options: Options
    threads: int
    compiled: Any = field(default=None)


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Write the model; Unsupported without a warmup."""
    if not budget.warmup:
        raise Unsupported("warmup=0: nutpie adapts in one draw at least")
    if options.low_rank and not options.gradient_metric:
        raise Unsupported("gradient_metric=false needs low_rank=false")
    return Program(models.model(data), data.parameters, budget, options, place.threads)


def compile(program: Program, data: Dataset) -> None:
    """Compile density, gradient and parameters of a draw; the arrays are no part of them."""
    with compiling("numba"):
        made = nutpie.compile_pymc_model(program.model, var_names=data.names)
    if program.options.init == "uniform":
        made = dataclasses.replace(made, initial_point_func=lambda seed: _uniform(seed, made.n_dim))
    program.compiled = made


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> tuple[Program, Any]:
    """Warm up and sample all chains."""
    options, budget = program.options, program.budget
    metric = {} if options.low_rank else {"use_grad_based_mass_matrix": options.gradient_metric}
    with clock("transfer"):
        compiled = program.compiled.with_data(**shared.by_name(data.arrays, data))
    with clock("warmup+sample"):
        trace = nutpie.sample(
            compiled,
            draws=budget.draws,
            tune=budget.warmup,
            chains=budget.chains,
            cores=program.threads,
            seed=seed,
            progress_bar=False,
            return_raw_trace=True,
            low_rank_modified_mass_matrix=options.low_rank,
            target_accept=options.target_accept,
            maxdepth=options.max_tree_depth,
            **metric,
        )
    return program, trace


def draw(state: tuple[Program, Any]) -> Fit:
    """Draws (chain, draw, …) with the gradients of their trees.

    Not among these are the 10 to 20 by which a chain finds its first step size, which nutpie does not count.
    """
    program, trace = state
    warmup = program.budget.warmup
    of_draws, of_stats = trace.get_arrow_trace()
    found = {name: np.stack([_column(chain, name) for chain in of_stats]) for name in STATS}
    steps, kept = found["n_steps"].astype(np.int64), {name: values[:, warmup:] for name, values in found.items()}
    stats = {
        "gradients": int(steps.sum()),
        "gradients_executed": int(steps.sum()),
        "gradients_warmup": int(steps[:, :warmup].sum()),
        "treedepth_hits": int(kept["maxdepth_reached"].sum()),
        "num_steps": steps[:, warmup:],
        "diverging": kept["diverging"],
        "energy": kept["energy"],
        "accept_prob": kept["mean_tree_accept"],
        "log_density": kept["logp"],
    }
    draws = {
        p.name: np.stack([_column(chain, p.name, p.shape) for chain in of_draws])[:, warmup:]
        for p in program.parameters
    }
    return Fit("mcmc", draws, stats=stats)


def _uniform(seed: int, dim: int) -> Array:
    return np.random.default_rng(seed).uniform(-2, 2, dim)


def _column(chain: Any, name: str, shape: tuple[int, ...] = ()) -> Array:
    """A column of a table in memory, (draw, *shape)."""
    values = pyarrow.array(chain.column(name))
    if shape:
        values = values.flatten()
    return np.asarray(values.to_numpy(zero_copy_only=False).reshape(-1, *shape))

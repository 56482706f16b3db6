"""NUTS of PyMC, compiled once for all reps; its trees are built in Python, one chain after another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pymc as pm

from backends._shared import pymc_models as shared
from backends._shared.pytensor import cold
from backends.pymc import chains, models
from bench.types import Budget, Clock, Dataset, Fit, Place, option

KIND = "mcmc"
DEFAULTS = {"linker": "default", "init": "jitter"}


@dataclass(frozen=True)
class Options:
    """How densities are compiled, and how the sampler starts and is tuned.

    The metric is diagonal; its windows, and trees of 8 doublings at most in the first 200 draws of warmup, are PyMC's.
    Chains share one process: its own way to use more cores is a process for each.
    """

    linker: Literal["numba", "default"] = option("numba", "how to compile; default: PyTensor's, C if there is a compiler")
    init: Literal["uniform", "jitter"] = option("uniform", "U(−2, 2), or PyMC's U(−1, 1) around the middle of the prior")
    target_accept: float = option(0.8, "target acceptance probability of step-size adaptation")
    max_tree_depth: int = option(10, "doublings of a trajectory at most")


@dataclass
class Program:
    """The model, and what `compile` has made of it."""

    model: pm.Model
    names: tuple[str, ...]
    budget: Budget
    options: Options
    compiled: chains.Compiled | None = field(default=None)


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Write the model."""
    return Program(models.model(data), data.names, budget, options)


def compile(program: Program, data: Dataset) -> None:
    """Compile the density, its gradient and what a draw needs; the arrays are no part of them."""
    with cold():
        mode = "NUMBA" if program.options.linker == "numba" else None
        program.compiled = chains.Compiled(program.model, program.names, mode)


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> tuple[list[chains.Chain], int, int]:
    """Warm up and sample every chain; the chains, how many densities their starts took, and the draws of warmup."""
    options, budget, compiled = program.options, program.budget, program.compiled
    assert compiled is not None, "compile comes before fit"
    with clock("transfer"):
        shared.replace(program.model, data)
    rng = np.random.default_rng(seed)
    with clock("warmup"):
        points, tried = chains.starts(compiled, rng, budget.chains, uniform=options.init == "uniform")
        step = chains.stepper(
            program.model, compiled, points, target_accept=options.target_accept, max_treedepth=options.max_tree_depth
        )
    made = [
        chains.run(step, point, own, compiled, names=program.names, budget=budget, clock=clock)
        for point, own in zip(points, rng.spawn(budget.chains), strict=True)
    ]
    return made, tried, budget.warmup


def draw(state: tuple[list[chains.Chain], int, int]) -> Fit:
    """Draws (chain, draw, …) with the gradients of their trees, and one more that begins every tree."""
    made, tried, warmup = state
    found: dict[str, Any] = {name: np.stack([chain.stats[name] for chain in made]) for name in chains.STATS}
    steps = found["tree_size"].astype(np.int64) + 1
    kept = {name: values[:, warmup:] for name, values in found.items()}
    stats = {
        "gradients": int(steps.sum()) + tried,
        "gradients_executed": int(steps.sum()) + tried,
        "gradients_warmup": int(steps[:, :warmup].sum()) + tried,
        "treedepth_hits": int(kept["reached_max_treedepth"].sum()),
        "num_steps": steps[:, warmup:],
        "diverging": kept["diverging"],
        "energy": np.asarray(kept["energy"], np.float64),
        "accept_prob": np.asarray(kept["mean_tree_accept"], np.float64),
        "log_density": np.asarray(kept["model_logp"], np.float64),
    }
    return Fit("mcmc", {name: np.stack([chain.draws[name] for chain in made]) for name in made[0].draws}, stats=stats)

"""NUTS of PyMC, compiled once for all reps; its trees are built in Python, one chain after another.

`aot=false` calls `pm.sample` as most users do, which compiles anew on every call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import pymc as pm
import pytensor

from backends._shared import pymc_models as shared
from backends._shared.pytensor import compiling
from backends.pymc import chains, models
from bench.types import Budget, Clock, Dataset, Fit, Place, Unsupported, option

KIND = "mcmc"
DEFAULTS = {"aot": False, "linker": "default", "init": "jitter", "progress_bar": True}

NO_COMPILER = "PyTensor found no C compiler: densities were evaluated in Python, tens of times slower"


@dataclass(frozen=True)
class Options:
    """How densities are compiled, and how the sampler starts and is tuned.

    The metric is diagonal; its windows, and trees of 8 doublings at most in the first 200 draws of warmup, are PyMC's.
    Chains share one process: to use more cores PyMC starts one for each.
    """

    aot: bool = option(True, "compile once, ahead of time; false: plain pm.sample, compiled on every call")
    linker: Literal["numba", "default"] = option("numba", "default: PyTensor's own, C if there is a compiler")
    init: Literal["uniform", "jitter"] = option(
        "uniform", "U(−2, 2), or PyMC's U(−1, 1) around the middle of the prior"
    )
    target_accept: float = option(0.8, "target acceptance probability of step-size adaptation")
    max_tree_depth: int = option(10, "doublings of a trajectory at most")
    progress_bar: bool = option(False, "show PyMC's progress bar, which needs aot=false and costs a little")


@dataclass
class Program:
    """The model, and what `compile` has made of it."""

    model: pm.Model
    names: tuple[str, ...]
    budget: Budget
    options: Options
    compiled: chains.Compiled | None = field(default=None)

    @property
    def settings(self) -> dict[str, Any]:
        """Those of the step method."""
        return {"target_accept": self.options.target_accept, "max_treedepth": self.options.max_tree_depth}


class State(NamedTuple):
    """The chains, and gradients at their starts before any step."""

    chains: list[chains.Chain]
    tried: int
    warmup: int
    notes: tuple[str, ...]


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Write the model; Unsupported for options that one of the two ways does not have."""
    if options.aot and options.progress_bar:
        raise Unsupported("progress_bar=true needs aot=false")
    if not options.aot and options.init == "uniform":
        raise Unsupported("init=uniform needs aot=true: pm.sample has no such starts")
    return Program(models.model(data), data.names, budget, options)


def compile(program: Program, data: Dataset) -> None:
    """Compile the density, its gradient and what a draw needs; the arrays are no part of them."""
    if program.options.aot:
        with compiling(program.options.linker):
            program.compiled = chains.Compiled(program.model, program.names, shared.LINKERS[program.options.linker])


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Warm up and sample every chain."""
    options, budget, compiled = program.options, program.budget, program.compiled
    notes = (NO_COMPILER,) if options.linker == "default" and not pytensor.config.cxx else ()
    with clock("transfer"):
        shared.replace(program.model, data)
    if compiled is None:
        how = {"compile_kwargs": {"mode": shared.LINKERS[options.linker]}, "nuts": program.settings}
        with compiling(options.linker), clock("warmup+sample"):
            made = chains.sample(
                program.model, program.names, budget, seed=seed, progress_bar=options.progress_bar, **how
            )
        return State(made, budget.chains, budget.warmup, notes)
    rng = np.random.default_rng(seed)
    with clock("warmup"):
        points, tried = compiled.starts(rng, budget.chains, uniform=options.init == "uniform")
        step = chains.stepper(program.model, compiled, points, **program.settings)
    streams = rng.spawn(budget.chains)
    made = [
        chains.run(step, point, own, compiled, budget=budget, clock=clock)
        for point, own in zip(points, streams, strict=True)
    ]
    return State(made, tried, budget.warmup, notes)


def draw(state: State) -> Fit:
    """Draws (chain, draw, …); gradients are those of all trees, one more at the root of each, and those of starts."""
    found = {name: np.stack([chain.stats[name] for chain in state.chains]) for name in chains.STATS}
    steps = found["tree_size"].astype(np.int64) + 1
    kept = {name: values[:, state.warmup :] for name, values in found.items()}
    gradients = int(steps.sum()) + state.tried
    stats = {
        "gradients": gradients,
        "gradients_executed": gradients,
        "gradients_warmup": int(steps[:, : state.warmup].sum()) + state.tried,
        "treedepth_hits": int(kept["reached_max_treedepth"].sum()),
        "num_steps": steps[:, state.warmup :],
        "diverging": kept["diverging"].astype(bool),
        "energy": np.asarray(kept["energy"], np.float64),
        "accept_prob": np.asarray(kept["mean_tree_accept"], np.float64),
        "log_density": np.asarray(kept["model_logp"], np.float64),
    }
    names = state.chains[0].draws
    draws = {name: np.stack([np.asarray(chain.draws[name], np.float64) for chain in state.chains]) for name in names}
    return Fit("mcmc", draws, stats=stats, notes=state.notes)

"""NUTS of PyMC, compiled once for all reps; its trees are built in Python, one chain after another.

`aot=false` calls `pm.sample` as most users do, which compiles anew on every call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from backends._shared import pymc_models as shared
from backends._shared.program import Program
from backends._shared.pytensor import compiling, complaints
from backends.pymc import chains, models
from backends.pymc.chains import Answer
from bench.types import Budget, Clock, Dataset, Fit, Place, Unsupported, option

KIND = "mcmc"
DEFAULTS = {"aot": False, "linker": "default", "init": "jitter", "progress_bar": True}


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


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Write the model; Unsupported for options that one of the two ways does not have."""
    if options.aot and options.progress_bar:
        raise Unsupported("progress_bar=true needs aot=false")
    if not options.aot and options.init == "uniform":
        raise Unsupported("init=uniform needs aot=true: pm.sample has no such starts")
    if budget.until and not options.aot:
        raise Unsupported("until needs aot=true: pm.sample begins anew on every call")
    return Program(models.model(data), data, budget, options, place)


def compile(program: Program, data: Dataset) -> None:
    """Compile the density, its gradient and what a draw needs; the arrays are no part of them."""
    if program.options.aot:
        with compiling(program.options.linker):
            program.compiled = chains.Compiled(program.written, data.names, shared.LINKERS[program.options.linker])


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> Answer:
    """Warm up and sample every chain."""
    with clock("transfer"):
        shared.replace(program.written, data)
    if program.options.aot:
        return chains.by_hand(program, seed, clock)
    with compiling(program.options.linker), clock("warmup+sample"):
        return chains.plain(program, seed)


def resume(program: Program, data: Dataset, answer: Answer, draws: int, clock: Clock) -> Answer:
    """So many further draws of every chain, from where `answer` ended and tuned as it was; these alone."""
    return chains.go_on(program, answer, draws, clock)


def draw(answer: Answer) -> Fit:
    """Draws (chain, draw, …); gradients are those of all trees, one more at the root of each, and those of starts."""
    draws = {name: np.asarray(values, np.float64) for name, values in answer.draws.items()}
    return Fit("mcmc", draws, stats=chains.statistics(answer), notes=complaints(answer.linker))

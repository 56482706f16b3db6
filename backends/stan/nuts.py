"""Stan's NUTS with a diagonal metric, by httpstan's extension of the program; chains side by side in processes.

A gradient is a leapfrog step, or the one with which Stan begins each transition. What a chain writes, a line of JSON a
draw, is written within the seconds of sampling, and read into arrays after them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backends._shared.program import Program
from backends.stan import adaptation, chains, models, output, runtime
from bench.types import Budget, Clock, Dataset, Fit, Place, option

KIND = "mcmc"
ENDS = "httpstan has NUTS with adaptation only, which begins with a unit metric: it takes none that was learned"
INIT_RADIUS = 2.0


@dataclass(frozen=True)
class Options:
    """How the sampler is tuned; the metric is diagonal, inits are U(−2, 2) unconstrained."""

    target_accept: float = option(0.8, "target acceptance probability of step-size adaptation (Stan's delta)")
    max_tree_depth: int = option(10, "doublings of a trajectory at most")
    processes: int = option(0, "chains side by side at most, each in a process; 0: as many as threads")


Written = list[tuple[int, bytes, bytes]]
"""Of each chain: status, log and draws."""


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Write the program; nothing of the data goes into it."""
    return Program(models.program(data), data, budget, options, place)


def compile(program: Program, data: Dataset) -> None:
    """Translate it to C++, compile and load that."""
    program.compiled = runtime.extension(program.written)


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> tuple[Program, Dataset, Written]:
    """Warm up and sample; httpstan converts the data once for each chain, within these seconds."""
    budget, options = program.budget, program.options
    with clock("transfer"):
        given = models.values(data)
    settings = {
        **{"data": given, "init": {}, "random_seed": seed, "init_radius": INIT_RADIUS, **adaptation.SCHEDULE},
        **{"num_warmup": budget.warmup, "num_samples": budget.draws, "num_thin": 1, "save_warmup": True, "refresh": 0},
        **{"stepsize": 1.0, "stepsize_jitter": 0.0},
        **{"max_depth": options.max_tree_depth, "delta": options.target_accept},
    }
    of_chains = [{**settings, "chain": chain + 1} for chain in range(budget.chains)]
    processes = min(options.processes or program.place.threads, budget.chains)
    with clock("warmup+sample"):
        written = chains.run(program.ready.hmc_nuts_diag_e_adapt_wrapper, of_chains, processes)
    return program, data, written


def draw(state: tuple[Program, Dataset, Written]) -> Fit:
    """Draws (chain, draw, …) and statistics, of which each transition has written its own."""
    program, data, written = state
    options, warmup = program.options, program.budget.warmup
    output.complain(written)
    tables = [output.table(draws) for _, _, draws in written]
    every = {name: np.stack([table[name] for table in tables]) for name in tables[0]}
    stats = output.statistics(every, warmup, options.target_accept, options.max_tree_depth)
    kept = {name: values[:, warmup:] for name, values in every.items()}
    return Fit(
        "mcmc", {p.name: output.values(kept, p) for p in data.parameters}, stats=stats, notes=runtime.complaints()
    )

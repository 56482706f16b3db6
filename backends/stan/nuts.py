"""Stan's NUTS with a diagonal metric, by httpstan's extension of the program; chains side by side in processes.

A gradient is a leapfrog step, or the one with which Stan begins each transition. What a chain writes, a line of JSON a
draw, is written within the seconds of sampling, and read into arrays after them.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

import numpy as np

from backends.stan import adaptation, chains, models, runtime
from bench.types import Array, Budget, Clock, Dataset, Diverged, Fit, Parameter, Place, option

KIND = "mcmc"
INIT_RADIUS = 2.0


@dataclass(frozen=True)
class Options:
    """How the sampler is tuned; the metric is diagonal, inits are U(−2, 2) unconstrained."""

    target_accept: float = option(0.8, "target acceptance probability of step-size adaptation (Stan's delta)")
    max_tree_depth: int = option(10, "doublings of a trajectory at most")
    processes: int = option(0, "chains side by side at most, each in a process; 0: as many as threads")


@dataclass
class Program:
    """The Stan program, and its extension once `compile` has built it."""

    text: str
    budget: Budget
    options: Options
    place: Place
    extension: ModuleType | None = None


class State(NamedTuple):
    """What each chain wrote."""

    program: Program
    parameters: tuple[Parameter, ...]
    written: list[tuple[int, bytes, bytes]]


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Write the program; nothing of the data goes into it."""
    return Program(models.program(data), budget, options, place)


def compile(program: Program, data: Dataset) -> None:
    """Translate it to C++, compile and load that."""
    program.extension = runtime.extension(program.text)


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Warm up and sample; httpstan converts the data once for each chain, within these seconds."""
    budget, options = program.budget, program.options
    assert program.extension is not None, "compile comes before fit"
    with clock("transfer"):
        given = models.values(data)
    settings = {
        **{"data": given, "init": {}, "random_seed": seed, "init_radius": INIT_RADIUS, **adaptation.SCHEDULE},
        **{"num_warmup": budget.warmup, "num_samples": budget.draws, "num_thin": 1, "save_warmup": True, "refresh": 0},
        **{
            "stepsize": 1.0,
            "stepsize_jitter": 0.0,
            "max_depth": options.max_tree_depth,
            "delta": options.target_accept,
        },
    }
    of_chains = [{**settings, "chain": chain + 1} for chain in range(budget.chains)]
    processes = min(options.processes or program.place.threads, budget.chains)
    with clock("warmup+sample"):
        written = chains.run(program.extension.hmc_nuts_diag_e_adapt_wrapper, of_chains, processes)
    return State(program, data.parameters, written)


def draw(state: State) -> Fit:
    """Draws (chain, draw, …) and statistics, of which each transition has written its own."""
    program = state.program
    tables = [_table(*written) for written in state.written]
    every = {name: np.stack([table[name] for table in tables]) for name in tables[0]}
    kept = {name: values[:, program.budget.warmup :] for name, values in every.items()}
    delta, warmup = program.options.target_accept, program.budget.warmup
    searched = adaptation.search_gradients(every["stepsize__"], every["accept_stat__"], warmup, delta)
    steps = every["n_leapfrog__"].astype(np.int64) + 1
    stats = {
        "gradients": int(steps.sum()) + searched,
        "gradients_warmup": int(steps[:, :warmup].sum()) + searched,
        "gradients_executed": int(steps.sum()) + searched,
        "gradients_executed_warmup": int(steps[:, :warmup].sum()) + searched,
        "treedepth_hits": int((kept["treedepth__"] >= program.options.max_tree_depth).sum()),
        "num_steps": steps[:, warmup:],
        "diverging": kept["divergent__"] > 0,
        "energy": kept["energy__"],
        "accept_prob": kept["accept_stat__"],
        "log_density": kept["lp__"],
    }
    return Fit("mcmc", {p.name: _values(kept, p) for p in state.parameters}, stats=stats)


def _table(code: int, log: bytes, draws: bytes) -> dict[str, Array]:
    """Columns of what a chain wrote; Diverged with its own last error where it found no start."""
    rows = [json.loads(line)["values"] for line in draws.splitlines()]
    rows = [row for row in rows if isinstance(row, dict)]  # beside draws it writes its step size and metric
    if code or not rows:
        errors = [json.loads(line)["values"][0] for line in log.splitlines() if b'"error:' in line]
        raise Diverged(" ".join(error.removeprefix("error:").strip() for error in errors) or f"Stan ended with {code}")
    values = np.array([list(row.values()) for row in rows], np.float64)
    return dict(zip(rows[0], values.T, strict=True))


def _values(columns: dict[str, Array], p: Parameter) -> Array:
    """A parameter's draws (chain, draw, *shape), of columns `name.1.2`."""
    names = [".".join((p.name, *map(str, at))) for at in itertools.product(*(range(1, n + 1) for n in p.shape))]
    return np.stack([columns[name] for name in names], axis=-1).reshape(*columns["lp__"].shape, *p.shape)

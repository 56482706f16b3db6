"""Multi-path Pathfinder of BlackJAX: normal approximations along several L-BFGS paths (Zhang et al. 2022).

q is the normal of the path with the largest ELBO, whose density is known. With `resample=true` the answer is that of
`blackjax.multipathfinder`: draws of all paths, resampled by their Pareto-smoothed importance weights, of no known q.

BlackJAX 1.7.1 takes the gradient of −log p with the wrong sign: its normal lies beyond the end of the path.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np
from blackjax.vi import pathfinder

from backends._shared.program import Program
from backends._shared.trajectories import plain
from backends.blackjax import models, paths
from backends.blackjax.paths import Answer
from bench.data import family
from bench.types import Budget, Clock, Dataset, Diverged, Fit, Place, option

KIND = "vi"
DEVICES = ("cpu", "cuda")
DEFAULTS = {"resample": True}
DRAWS, MOMENT_DRAWS = 4000, 100_000
"""Draws of q that are given back, and those behind its moments, made while no clock runs."""
NO_DENSITY = "resampled draws of several paths have no q whose density is known: no k-hat but the library's own"


@dataclass(frozen=True)
class Options:
    """Paths and their ELBO; paths start from U(−2, 2) unconstrained."""

    paths: int = option(4, "L-BFGS runs from starts of their own")
    resample: bool = option(False, "importance-resample the draws of all paths instead of taking the best path's q")
    elbo_draws: int = option(200, "draws behind the ELBO of each point of a path")
    iterations: int = option(30, "L-BFGS steps of a path at most")
    history: int = option(10, "steps that L-BFGS remembers")


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """One program: paths, choice and draws, as a function of a key and arrays."""
    return Program(paths.search(data, options, DRAWS), data, budget, options, place)


def compile(program: Program, data: Dataset) -> None:
    """Lower and compile it for the shapes of `data`, whose values it takes as arguments."""
    args = jax.random.key(0), models.to_arrays(data.arrays, data, program.place)
    program.compiled = jax.jit(program.written).lower(*args).compile()


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> tuple[Program, Dataset, Answer]:
    """Search and draw; Diverged where no path has a finite ELBO."""
    with clock("transfer"):
        args = jax.random.key(seed), models.to_arrays(data.arrays, data, program.place)
        jax.block_until_ready(args)
    with clock("sample"):
        answer = jax.block_until_ready(program.ready(*args))
    if not np.isfinite(answer.elbo).any():
        raise Diverged(f"none of {program.options.paths} paths has a point with a finite ELBO")
    return program, data, answer


def draw(state: tuple[Program, Dataset, Answer]) -> Fit:
    """4000 draws as one chain; of the best path's normal with their log density, and its moments."""
    program, data, answer = state
    constrain = family(data.family).constrain
    draws = {name: x[None] for name, x in constrain(data, plain(answer.z)).items()}
    stats = paths.statistics(program.options, answer)
    if program.options.resample:
        return Fit("vi", draws, stats=stats, notes=(NO_DENSITY,))
    z = plain(pathfinder.sample(jax.random.key(0), answer.best, MOMENT_DRAWS)[0])
    moments = {name: (x.mean(0), x.std(0)) for name, x in constrain(data, z).items()}
    return Fit("vi", draws, stats={**stats, "log_q": plain(answer.log_q)[None]}, moments=moments)

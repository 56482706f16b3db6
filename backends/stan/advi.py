"""Stan's ADVI: a Gaussian on the unconstrained scale, mean-field or of full rank (Kucukelbir et al. 2017).

The algorithm is Stan's own C++: its step size by trial, its rule of when the ELBO has converged. As with Pathfinder
an evaluation of the density alone, behind the ELBO, is counted as one gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from backends._shared.moments import Moments
from backends._shared.program import Program
from backends.stan import models, runtime, variational
from bench.data import family
from bench.types import Array, Budget, Clock, Dataset, Fit, Place, option

KIND = "vi"
DEFAULTS = {"particles": 1, "tolerance": 0.01}
"""Stan's own."""
DRAWS = 4000


@dataclass(frozen=True)
class Options:
    """q, and how its ELBO is climbed; at most the budget's steps, after trials of Stan's step sizes."""

    algorithm: Literal["meanfield", "fullrank"] = option("meanfield", "the covariance of q: diagonal, or any")
    particles: int = option(10, "draws from q per ELBO gradient (Stan's grad_samples)")
    tolerance: float = option(0.001, "relative change of the ELBO at which it stops (Stan's tol_rel_obj)")


class State(NamedTuple):
    """Draws z of q, its moments, and what is known of the fit."""

    data: Dataset
    z: Array
    moments: Moments
    stats: dict[str, Any]


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Write the program; nothing of the data goes into it."""
    return Program(models.program(data), data, budget, options, place)


def compile(program: Program, data: Dataset) -> None:
    """Translate it to C++, compile and link that with what runs Stan's ADVI."""
    program.compiled = runtime.extension(program.written, variational.library())


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Maximise the ELBO, then draw from q; its way is told where Stan evaluates the ELBO, every 100 steps."""
    options, rng = program.options, np.random.default_rng(seed)
    with clock("transfer"):
        given = variational.as_json(data)
    settings = {"particles": options.particles, "tolerance": options.tolerance, "iterations": program.budget.steps}
    full_rank = options.algorithm == "fullrank"
    with clock("sample"):
        q = variational.maximise(program.ready, data, given, seed, clock, full_rank=full_rank, **settings)
        z, log_q = q.sample(DRAWS, rng)
    stats = {**q.statistics(options.particles), "log_q": log_q[None]}
    log_density = variational.log_density(program.ready, q, z, given, seed)
    if np.isfinite(log_density).all():  # a q of the wrong scale has draws that the program refuses
        stats["log_density"] = log_density[None]
    return State(data, z, q.moments(data, rng), stats)


def draw(state: State) -> Fit:
    """4000 independent draws of q as one chain with its log density and the program's, and its moments."""
    draws, (mean, sd) = family(state.data.family).constrain(state.data, state.z), state.moments
    of_q = {name: (mean[name], sd[name]) for name in draws}
    natural = {name: value[None] for name, value in draws.items()}
    return Fit("vi", natural, stats=state.stats, moments=of_q, notes=runtime.complaints())

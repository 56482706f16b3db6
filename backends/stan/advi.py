"""Stan's ADVI: a Gaussian on the unconstrained scale, mean-field or of full rank (Kucukelbir et al. 2017).

The algorithm is Stan's own C++: its step size by trial, its rule of when the ELBO has converged. As with Pathfinder
an evaluation of the density alone, behind the ELBO, is counted as one gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from backends._shared.moments import Moments
from backends.stan import models, variational
from backends.stan.program import Program, compile
from backends.stan.variational import Approximation
from bench.data import family
from bench.types import Array, Budget, Clock, Dataset, Fit, Place, option

__all__ = ["DEFAULTS", "KIND", "Options", "build", "compile", "draw", "fit"]

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
    """q, draws z of it with its log density there, and its moments."""

    data: Dataset
    q: Approximation
    z: Array
    log_q: Array
    moments: Moments
    steps: int


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Write the program; nothing of the data goes into it."""
    return Program(models.program(data), budget, options, place, variational.library)


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Maximise the ELBO, then draw from q."""
    options, rng = program.options, np.random.default_rng(seed)
    with clock("transfer"):
        given = variational.as_json(data)
    settings = {"particles": options.particles, "tolerance": options.tolerance, "iterations": program.budget.steps}
    full_rank = options.algorithm == "fullrank"
    with clock("sample"):
        q = variational.maximise(program.extension, data, given, seed, full_rank=full_rank, **settings)
        z, log_q = q.sample(DRAWS, rng)
    return State(data, q, z, log_q, q.moments(data, rng), (q.gradients - q.trials) // options.particles)


def draw(state: State) -> Fit:
    """4000 independent draws of q as one chain with their log density, and its moments."""
    q, (mean, sd) = state.q, state.moments
    draws = family(state.data.family).constrain(state.data, state.z)
    stop = "ELBO" if q.converged else "steps"
    counted = {"steps": state.steps, "gradients": q.gradients + q.densities, "stop": stop}
    stats = {**counted, "log_q": state.log_q[None]}
    of_q = {name: (mean[name], sd[name]) for name in draws}
    return Fit("vi", {name: value[None] for name, value in draws.items()}, stats=stats, moments=of_q)

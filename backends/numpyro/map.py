"""MAP through NumPyro's `AutoDelta` guide: SVI whose q is a point, on the density of the natural parameters.

NumPyro optimises an unconstrained image of each parameter, so that none can leave its support. All steps are compiled
ahead of time; each is one full-data gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from numpyro.infer import Trace_ELBO
from numpyro.infer.autoguide import AutoDelta
from numpyro.infer.initialization import init_to_uniform

from backends._shared import delta, jax_arrays, point
from backends._shared.delta import State, draw
from backends._shared.program import Program
from backends.numpyro import guides, models
from backends.numpyro.stepping import Arguments, Plan, Search, Stepper
from bench.types import Budget, Clock, Dataset, Estimate, Place, option

__all__ = ["DEVICES", "KIND", "Options", "build", "compile", "draw", "fit"]

KIND = "point"
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Options:
    """Learning rate."""

    lr: float = option(0.01, "learning rate of Adam")


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Write the steps."""
    model, plan = models.model(data), Plan(budget.steps, options.lr, 1.0, 1, 0)
    guide = partial(AutoDelta, model, init_loc_fn=init_to_uniform)  # an improper prior has no median
    stepper = Stepper(model, guide, Trace_ELBO(), plan, place.dtype, lambda _, sites: guides.centred(sites))
    return Program(stepper, data, budget, options, place)


def compile(program: Program, data: Dataset) -> None:
    """Compile start, steps, and how a state is read, for the shapes of `data`."""
    args = models.to_arrays(data.arrays, data, program.place)
    state = program.written.compile(_start(program, data, 0), args)
    program.compiled = jax.jit(program.written.point).lower(state, *args).compile()


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Minimise from the scenario's start; Diverged when the loss or a parameter is no longer finite."""
    stepper = program.written
    with clock("transfer"):
        args, start = models.to_arrays(data.arrays, data, program.place), _start(program, data, seed)
        key = jax.random.key(seed)
        jax.block_until_ready((key, args, start))

    def checkpoint(step: int, state: Any, loss: float) -> bool:
        return clock.checkpoint(step, partial(_look, program, data, args, step, state))

    search = Search(stepper.plan, stepper, lambda _: args, checkpoint)
    with clock("sample"):
        outcome = search.run([partial(search.begin, key, start, args)])
    return State(_look(program, data, args, outcome.steps, search.state), outcome.steps)


def _start(program: Program, data: Dataset, seed: int) -> guides.Params:
    sites = point.start(data, seed)
    return jax_arrays.to_arrays(sites, sites, program.place)


def _look(program: Program, data: Dataset, args: Arguments, step: int, state: Any) -> Estimate:
    """The parameters after this step, and the loss there."""
    values, loss = program.ready(state, *args)
    return delta.look(data, {name: np.asarray(x, np.float64) for name, x in values.items()}, float(loss), step)

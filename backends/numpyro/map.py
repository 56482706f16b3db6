"""MAP through NumPyro's `AutoDelta` guide: SVI whose q is a point, on the density of the natural parameters.

NumPyro optimises an unconstrained image of each parameter, so that none can leave its support. All steps are compiled
ahead of time; each is one full-data gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from numpyro.infer import Trace_ELBO
from numpyro.infer.autoguide import AutoDelta
from numpyro.infer.initialization import init_to_uniform

from backends._shared import delta, point
from backends._shared.delta import State, draw
from backends.numpyro import models
from backends.numpyro.stepping import Plan, Search, Stepper
from bench.types import Array, Budget, Clock, Dataset, Estimate, Place, option

__all__ = ["DEVICES", "KIND", "Options", "build", "compile", "draw", "fit"]

KIND = "point"
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Options:
    """Learning rate."""

    lr: float = option(0.01, "learning rate of Adam")


@dataclass
class Program:
    """The steps, and how the natural parameters are read from a state, compiled by `compile`."""

    place: Place
    stepper: Stepper
    read: Callable[..., tuple[dict[str, jax.Array], jax.Array]]


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Write the programs."""
    model = models.model(data)

    def place_at(guide: Any, at: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {f"{name}_auto_loc": value for name, value in at.items()}

    guide = partial(AutoDelta, model, init_loc_fn=init_to_uniform)  # an improper prior has no median
    stepper = Stepper(model, guide, Trace_ELBO(), Plan(budget.steps, options.lr, 1.0, 1, 0), place.dtype, place_at)

    def read(state: Any, *args: jax.Array) -> tuple[dict[str, jax.Array], jax.Array]:
        svi, guide = stepper.prepared(args)
        return guide.median(svi.get_params(state)), svi.evaluate(state, *args)

    return Program(place, stepper, read)


def compile(program: Program, data: Dataset) -> None:
    """Compile start, steps and reading for the shapes of `data`."""
    args = models.to_arrays(data.arrays, data, program.place)
    state = program.stepper.compile(_start(program, data, 0), args)
    program.read = jax.jit(program.read).lower(state, *args).compile()


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Minimise from the scenario's start; Diverged when the loss or a parameter is no longer finite."""
    stepper, start = program.stepper, _start(program, data, seed)
    with clock("transfer"):
        args = models.to_arrays(data.arrays, data, program.place)
        key = jax.random.key(seed)
        jax.block_until_ready((key, args))

    def begin() -> None:
        search.state = stepper.start(key, start, args)

    def checkpoint(step: int, state: Any, loss: float) -> bool:
        return clock.checkpoint(step, partial(_look, program, data, args, step, state))

    search = Search(stepper.plan, stepper, lambda _: args, checkpoint)
    with clock("sample"):
        outcome = search.run([begin])
    return State(_look(program, data, args, outcome.steps, search.state), outcome.steps)


def _start(program: Program, data: Dataset, seed: int) -> dict[str, Array]:
    """The scenario's start on the natural scale of the sites."""
    return {name: np.asarray(x, program.place.dtype) for name, x in point.start(data, seed).items()}


def _look(program: Program, data: Dataset, args: tuple[jax.Array, ...], step: int, state: Any) -> Estimate:
    """The parameters after this step, and the loss there."""
    values, loss = program.read(state, *args)
    return delta.look(data, {name: np.asarray(x, np.float64) for name, x in values.items()}, float(loss), step)

"""MAP through Pyro's `AutoDelta` guide: SVI whose q is a point, on the density of the natural parameters.

Pyro optimises an unconstrained image of each parameter, so that none can leave its support.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import pyro
import torch
from pyro.infer import Trace_ELBO
from pyro.infer.autoguide import AutoDelta, init_to_value

from backends._shared import delta, point
from backends._shared.delta import State, draw
from backends._shared.pytorch import to_tensors
from backends.pyro import models
from bench.types import Arrays, Budget, Clock, Dataset, Estimate, Place, option

__all__ = ["DEVICES", "KIND", "Options", "Program", "State", "build", "draw", "fit"]

KIND = "point"
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Options:
    """Learning rate."""

    lr: float = option(0.01, "learning rate of Adam")


class Program(NamedTuple):
    """Model, and what `fit` needs beside the data."""

    data: Dataset
    model: models.Model
    lr: float
    steps: int
    place: Place


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Make the model."""
    pyro.enable_validation(False)
    return Program(data, models.model(data, place), options.lr, budget.steps, place)


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Minimise from the scenario's start; Diverged when the loss or a parameter is no longer finite."""
    pyro.clear_param_store()
    pyro.set_rng_seed(seed)
    start, steps = point.start(data, seed), program.steps
    with clock("transfer"):
        args = models.to_tensors(data.arrays, data, program.place)
        values = to_tensors(start, program.place)
    with clock("sample"):
        guide = AutoDelta(program.model, init_loc_fn=init_to_value(values=values))
        guide(*args)
        elbo = Trace_ELBO()
        optimiser = torch.optim.Adam(guide.parameters(), lr=program.lr, fused=True)
        for step in range(1, steps + 1):
            optimiser.zero_grad()
            loss = elbo.differentiable_loss(program.model, guide, *args)
            loss.backward()
            optimiser.step()
            if clock.checkpoint(step, partial(_look, program, guide, step, args)):
                steps = step
                break
    return State(_look(program, guide, steps, args), steps)


@torch.no_grad()
def _look(program: Program, guide: Any, step: int, args: Any) -> Estimate:
    sites: Arrays = {name: x.double().cpu().numpy().copy() for name, x in guide.median().items()}
    return delta.look(program.data, sites, float(Trace_ELBO().loss(program.model, guide, *args)), step)

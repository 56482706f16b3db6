"""Adam on the negative log posterior (MAP) of all parameters as one vector; one step is one full-data gradient."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from backends.torch import models
from bench.data import family
from bench.types import Arrays, Budget, Clock, Dataset, Diverged, Estimate, Fit, Place

KIND = "point"
FAMILIES = ("linear", "two_groups")
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Options:
    """Learning rate, and the scale on which sigma is optimised."""

    lr: float = 0.01  # learning rate of Adam
    space: Literal["natural", "unconstrained"] = "natural"  # scale of the parameters; unconstrained: with Jacobian


class Program(NamedTuple):
    """What `fit` needs beside the data."""

    options: Options
    steps: int
    place: Place


class State(NamedTuple):
    """The last iterate."""

    estimate: Estimate
    steps: int
    objective: str


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Nothing to compile."""
    return Program(options, budget.steps, place)


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Minimise from the scenario's start; Diverged when a parameter leaves its support or the finite numbers."""
    options, steps, place = program
    natural = options.space == "natural"
    start = models.start(data, seed)
    flat = _flatten(data, start) if natural else family(data.family).unconstrain(data, start)
    with clock("transfer"):
        arrays = models.to_tensors(data.arrays, place)
        theta = models.to_tensors({"theta": flat}, place)["theta"].requires_grad_()
    density = _natural if natural else models.unconstrained
    with clock("warmup"):
        optimiser = torch.optim.Adam([theta], lr=options.lr, fused=True)
        for step in range(1, steps + 1):
            optimiser.zero_grad()
            loss = -density(data, arrays, theta)
            loss.backward()
            optimiser.step()
            clock.checkpoint(step, partial(_look, data, arrays, step, theta, natural))
    objective = "map" if natural else "map_unconstrained"
    return State(_look(data, arrays, steps, theta, natural), steps, objective)


def _flatten(data: Dataset, params: Arrays) -> np.ndarray:
    return np.concatenate([np.ravel(params[name]) for name in data.names])


def _natural(data: Dataset, arrays: models.Tensors, theta: Tensor) -> Tensor:
    return models.log_posterior(data, arrays, models.split(data, theta))


@torch.no_grad()
def _look(data: Dataset, arrays: models.Tensors, step: int, theta: Tensor, natural: bool) -> Estimate:
    params = models.split(data, theta) if natural else models.constrain(data, theta)[0]
    loss = -float((_natural if natural else models.unconstrained)(data, arrays, theta))
    found = {name: value.double().cpu().numpy().copy() for name, value in params.items()}
    if not np.isfinite(loss):
        raise Diverged(f"loss is {loss:g} at step {step}: {_culprit(data, found)}")
    return Estimate(found, objective=loss)


def _culprit(data: Dataset, found: Arrays) -> str:
    """The parameter outside its support, or the ones that are no longer numbers."""
    for p in data.parameters:
        outside = found[p.name][(found[p.name] <= p.lower) | (found[p.name] >= p.upper)]
        if outside.size:
            return f"{p.name} = {outside[0]:.4g} left ({p.lower:g}, {p.upper:g}); space=unconstrained cannot leave it"
    lost = [name for name in data.names if not np.isfinite(found[name]).all()]
    return f"{', '.join(lost) or 'the log density'} is not finite: a step left the support, or lr is too large"


def draw(state: State) -> Fit:
    """The last iterate."""
    draws = {name: value[None, None] for name, value in state.estimate.mean.items()}
    return Fit("point", draws, stats={"objective": state.objective, "steps": state.steps, "gradients": state.steps})

"""Gradient descent by hand on autograd's gradient of the mean squared error; a gradient of all data per step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from backends._shared import point
from backends.torch import models
from bench.types import Budget, Clock, Dataset, Estimate, Fit, Place, option

KIND = "point"
FAMILIES = ("linear",)
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Options:
    """The step size."""

    lr: float = option(0.1, "step size; stable while lr·λmax/2 < 1")


class Program(NamedTuple):
    """What `fit` needs beside the data."""

    lr: float
    steps: int
    place: Place


class State(NamedTuple):
    """The last iterate."""

    estimate: Estimate
    steps: int
    limit: float


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Nothing to compile."""
    return Program(options.lr, budget.steps, place)


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Iterate from the scenario's start; Diverged when the loss leaves the finite numbers."""
    lr, steps, place = program
    limit = point.step_limit(data, lr, "mean")
    start = {name: value for name, value in point.start(data, seed).items() if name != "sigma"}
    with clock("transfer"):
        arrays = models.to_tensors(data.arrays, place)
        theta = {name: x.requires_grad_() for name, x in models.to_tensors(start, place).items()}
    leaves = [theta[name] for name in ("weights", "bias") if name in theta]
    with clock("sample"):
        for step in range(1, steps + 1):
            loss = (arrays["y"] - models.linear_mean(data, arrays, theta)).square().mean()
            gradients = torch.autograd.grad(loss, leaves)
            with torch.no_grad():
                for leaf, gradient in zip(leaves, gradients, strict=True):  # two tensors, however many weights
                    leaf.sub_(gradient, alpha=lr)
            clock.checkpoint(step, partial(_look, data, step, leaves, limit))
    return State(_look(data, steps, leaves, limit), steps, limit)


def _look(data: Dataset, step: int, leaves: list[Tensor], limit: float) -> Estimate:
    weights, *bias = (leaf.detach().double().cpu().numpy().copy() for leaf in leaves)
    return point.look(data, step, weights, bias[0] if bias else 0.0, limit=limit)


def draw(state: State) -> Fit:
    """The last iterate, with the step-size limit of these data."""
    return point.least_squares_fit(
        state.estimate.mean, steps=state.steps, gradients=state.steps, stats={"lr_limit": state.limit}
    )

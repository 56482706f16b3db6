"""Gradient descent by hand on autograd's gradient of the mean squared error; a gradient of all data per step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from backends._shared import point
from backends._shared.point import build, draw
from backends.torch import models
from bench.types import Clock, Dataset, Estimate, option

__all__ = ["DEVICES", "FAMILIES", "KIND", "Options", "build", "draw", "fit"]

KIND = "point"
FAMILIES = ("linear",)
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Options:
    """The step size."""

    lr: float = option(0.1, "step size; stable while lr·λmax/2 < 1")


def fit(program: point.Program, data: Dataset, seed: int, clock: Clock) -> point.State:
    """Iterate from the scenario's start; Diverged when the loss leaves the finite numbers."""
    options, steps, place = program
    limit = point.step_limit(data, options.lr, "mean")
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
                    leaf.sub_(gradient, alpha=options.lr)
            if clock.checkpoint(step, partial(_look, data, step, leaves, limit)):
                steps = step
                break
    return point.State(_look(data, steps, leaves, limit), steps, steps, {"lr_limit": limit})


def _look(data: Dataset, step: int, leaves: list[Tensor], limit: float) -> Estimate:
    return point.look(data, step, *models.line(leaves), limit=limit)

"""Full-batch gradient descent by `torch.optim.SGD`: one forward and one backward pass over the data per step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

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
    """Step size, loss, and the form in which the same model is written."""

    lr: float = option(0.1, "step size; stable while lr·λmax/2 < 1")
    loss: Literal["sum", "mean"] = option("mean", "sum or mean of the squared residuals")
    form: Literal["tensors", "module", "sequential"] = option(
        "module", "raw tensors, a hand-written module, or nn.Sequential"
    )


class Line(nn.Module):
    """A linear layer written by hand, (n, J) → (n,)."""

    def __init__(self, weights: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)
        self.bias = None if bias is None else nn.Parameter(bias)

    def forward(self, X: Tensor) -> Tensor:
        """Predictions."""
        mean = X @ self.weights
        return mean if self.bias is None else mean + self.bias


def fit(program: point.Program, data: Dataset, seed: int, clock: Clock) -> point.State:
    """Iterate from the scenario's start; Diverged when the loss leaves the finite numbers."""
    options, steps, place = program
    limit = point.step_limit(data, options.lr, options.loss)
    start = point.start(data, seed)
    with clock("transfer"):
        arrays = models.to_tensors(data.arrays, place)
        theta = models.to_tensors({k: v for k, v in start.items() if k != "sigma"}, place)
    with clock("sample"):
        predict, parameters = _model(options.form, theta)
        optimiser = torch.optim.SGD(parameters, lr=options.lr)
        reduce = torch.sum if options.loss == "sum" else torch.mean
        X, y = arrays["x"], arrays["y"]
        for step in range(1, steps + 1):
            optimiser.zero_grad()
            reduce((y - predict(X)).square()).backward()
            optimiser.step()
            if clock.checkpoint(step, partial(_look, data, step, parameters, limit)):
                steps = step
                break
    return point.State(_look(data, steps, parameters, limit), steps, steps, {"lr_limit": limit})


def _model(form: str, theta: models.Tensors) -> tuple[nn.Module | partial[Tensor], list[Tensor]]:
    """Predictions (n,) as a callable of X, and the tensors to optimise: weights first, then bias."""
    weights, bias = theta["weights"], theta.get("bias")
    if form == "tensors":
        leaves = [x.requires_grad_() for x in (weights, bias) if x is not None]
        return partial(_line, leaves), leaves
    if form == "module":
        line = Line(weights, bias)
        return line, list(line.parameters())
    stack = nn.Sequential(models.layer(theta), nn.Flatten(0))  # (n, 1) → (n,): against y it cannot broadcast to (n, n)
    return stack, list(stack.parameters())


def _line(leaves: list[Tensor], X: Tensor) -> Tensor:
    mean = X @ leaves[0]
    return mean + leaves[1] if len(leaves) > 1 else mean


def _look(data: Dataset, step: int, parameters: list[Tensor], limit: float) -> Estimate:
    return point.look(data, step, *models.line(parameters), limit=limit)

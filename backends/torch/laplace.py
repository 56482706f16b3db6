"""Laplace's approximation by hand: L-BFGS to the mode on the unconstrained scale, and a Gaussian of the Hessian there.

Counted are all evaluations of the search and of Newton's last steps, and two gradients per row of a Hessian, which is
exact: the gradient of a gradient. A posterior that is not curved downwards at its mode on all sides ends as diverged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from backends._shared import laplace
from backends._shared.laplace import build, draw
from backends.torch import models, optimum
from backends.torch.gradients import by_autograd
from bench.types import Array, Clock, Dataset

__all__ = ["DEVICES", "KIND", "Options", "build", "draw", "fit"]

KIND = "vi"
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Options:
    """Nothing to set: the search is L-BFGS with a strong Wolfe line search, from the scenario's start."""


def fit(program: laplace.Program, data: Dataset, seed: int, clock: Clock) -> laplace.State:
    """Find the mode, then draw from the Gaussian there; Diverged where there is no mode."""
    place = program.place
    with clock("transfer"):
        arrays = models.to_tensors(data.arrays, place)
        z = models.to_tensors({"z": laplace.start(data, seed)}, place)["z"]
    density, cost = partial(models.unconstrained, data, arrays), [0, 0]
    gradient = by_autograd(density)
    rows = max((len(x) for x in data.arrays.values() if x.ndim), default=1)

    def watch(evaluations: int, best: torch.Tensor, value: float) -> None:
        clock.checkpoint(evaluations, lambda: laplace.look(data, best.double().cpu().numpy(), value))

    def value_and_slope(at: Array) -> tuple[float, Array]:
        value, slope = gradient(z.new_tensor(at))
        cost[0] += 1
        return value.item(), slope.double().cpu().numpy()

    def precision(at: Array) -> Array:
        cost[1] += 1
        return optimum.precision(density, z.new_tensor(at), rows).double().cpu().numpy()

    with clock("sample"):
        found = optimum.maximise(gradient, z, steps=program.steps, evaluations=20 * program.steps, watch=watch)
        target = laplace.Target(value_and_slope, precision)
        q, newton = laplace.settle(target, found.z.double().cpu().numpy(), place.dtype)
    evaluations, hessians = found.gradients + cost[0], cost[1]
    stats = {
        "steps": found.gradients + newton,
        "gradients": evaluations + 2 * data.dim * hessians,
        "hessians": hessians,
    }
    return laplace.finish(data, q, seed, clock, stats)

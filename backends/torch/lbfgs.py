"""MAP by L-BFGS with a strong Wolfe line search; every evaluation is a full-data gradient, and the steps are those.

It ends at the mode, or when the budget's steps are used up. On the natural scale the density is −∞ outside the support,
from which the line search steps back.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from backends._shared import point
from backends.torch import descent, models, optimum
from backends.torch.descent import draw
from bench.types import Budget, Clock, Dataset, Place, option

__all__ = ["DEVICES", "KIND", "Options", "build", "draw", "fit"]

KIND = "point"
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Options:
    """The scale of the parameters, and where gradients come from."""

    space: Literal["natural", "unconstrained"] = option("natural", "scale of the MAP; unconstrained has the Jacobian")
    gradient: Literal["auto", "autograd"] = option("auto", "auto: by hand where it is derived, else by autograd")


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> descent.Program:
    """Nothing to compile."""
    objective: descent.Objective = "map" if options.space == "natural" else "map_unconstrained"
    return descent.Program(objective, 1.0, budget.steps, place, options.gradient)


def fit(program: descent.Program, data: Dataset, seed: int, clock: Clock) -> descent.State:
    """Search from the scenario's start; Diverged where it sees no point with a finite density."""
    objective, steps = program.objective, program.steps
    first = descent.vector(data, objective, point.start(data, seed))
    with clock("transfer"):
        arrays = models.to_tensors(data.arrays, program.place)
        theta = models.to_tensors({"theta": first}, program.place)["theta"]
    evaluate = descent.evaluation(objective, data, arrays, program.gradient)

    def log_density(at: Tensor) -> tuple[Tensor, Tensor]:
        value, slope = evaluate(at)
        return -value, -slope

    def watch(count: int, best: Tensor, value: float) -> None:
        clock.checkpoint(count, partial(descent.look, data, evaluate, count, best, objective))

    with clock("sample"), torch.no_grad():
        found = optimum.maximise(log_density, theta, steps=steps, evaluations=steps, watch=watch)
    last = descent.look(data, evaluate, found.gradients, found.z, objective)
    return descent.State(last, found.gradients, found.gradients, objective, ())

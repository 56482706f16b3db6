"""Adam on the negative log posterior (MAP), or on the sum of squared residuals; one step is one full-data gradient.

With mini-batches it is that of a share of the rows, with the whole prior; data that lie in a file are streamed.
On the natural scale a step may carry sigma out of its support: the fit then ends as diverged, never as NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backends.torch import descent
from backends.torch.descent import draw, fit
from bench.types import Budget, Dataset, Place, option

__all__ = ["DEVICES", "KIND", "Options", "build", "draw", "fit"]

KIND = "point"
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Options:
    """Learning rate, objective, and the scale of the parameters."""

    lr: float = option(0.01, "learning rate of Adam")
    objective: Literal["map", "least_squares"] = option("map", "negative log posterior, or sum of squared residuals")
    space: Literal["natural", "unconstrained"] = option("natural", "scale of a MAP; unconstrained has the Jacobian")
    lr_decay: float = option(1.0, "last learning rate, as a factor of the first; it falls in the second half")
    batch_size: int = option(0, "rows per step, drawn without replacement; 0: all")
    gradient: Literal["auto", "autograd"] = option("auto", "auto: by hand where it is derived, else by autograd")


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> descent.Program:
    """Nothing to compile."""
    objective: descent.Objective = "least_squares" if options.objective == "least_squares" else "map"
    if objective == "map" and options.space == "unconstrained":
        objective = "map_unconstrained"
    return descent.build(
        data, budget, place, objective=objective, lr=options.lr, gradient=options.gradient,
        lr_decay=options.lr_decay, batch_size=options.batch_size,
    )  # fmt: skip

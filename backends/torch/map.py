"""MAP of a small Bayesian library: Adam in small steps, density −∞ outside the support; a full gradient per step."""

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
    """Learning rate."""

    lr: float = option(0.003, "learning rate of Adam")
    gradient: Literal["auto", "autograd"] = option("auto", "auto: by hand where it is derived, else by autograd")


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> descent.Program:
    """Nothing to compile; the mode is that of the natural parameters."""
    return descent.build(data, budget, place, objective="map", lr=options.lr, gradient=options.gradient)

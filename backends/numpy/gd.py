"""Gradient descent on the mean squared error, its gradient derived by hand; one step reads the data twice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from backends._shared import point
from backends._shared.point import build, draw
from bench.types import Array, Clock, Dataset, Estimate, option

__all__ = ["FAMILIES", "KIND", "Options", "build", "draw", "fit"]

KIND = "point"
FAMILIES = ("linear",)


@dataclass(frozen=True)
class Options:
    """The step size."""

    lr: float = option(0.01, "step size; stable while lr·λmax/2 < 1")


def fit(program: point.Program, data: Dataset, seed: int, clock: Clock) -> point.State:
    """Iterate from the scenario's start, or from zero; Diverged when the loss overflows."""
    options, steps, place = program
    limit = point.step_limit(data, options.lr, "mean")
    with clock("transfer"):
        design, y, theta = _arrays(data, place.dtype)
    rate = np.asarray(2 * options.lr / len(y), place.dtype)
    with clock("sample"), np.errstate(all="ignore"):  # overflow is found at the checkpoints and named there
        for step in range(1, steps + 1):
            theta -= rate * (design.T @ (design @ theta - y))
            if clock.checkpoint(step, partial(_look, data, step, theta, limit)):
                steps = step
                break
    return point.State(_look(data, steps, theta, limit), steps, steps, {"lr_limit": limit})


def _arrays(data: Dataset, dtype: str) -> tuple[Array, Array, Array]:
    design = data.arrays["x"]
    theta = np.asarray(data.start.get("weights", np.zeros(design.shape[1])))
    if "bias" in data.names:
        design = np.column_stack([design, np.ones(len(design))])
        theta = np.append(theta, data.start.get("bias", 0.0))
    return design.astype(dtype), data.arrays["y"].astype(dtype), theta.astype(dtype)


def _look(data: Dataset, step: int, theta: Array, limit: float) -> Estimate:
    features = data.arrays["x"].shape[1]
    theta = theta.astype(np.float64)
    return point.look(data, step, theta[:features], theta[features] if len(theta) > features else 0.0, limit=limit)

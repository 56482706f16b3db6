"""Gradient descent on the mean squared error, its gradient derived by hand; one step reads the data twice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from backends._shared import point
from bench.types import Array, Budget, Clock, Dataset, Estimate, Fit, Place, option

KIND = "point"
FAMILIES = ("linear",)


@dataclass(frozen=True)
class Options:
    """The step size."""

    lr: float = option(0.01, "step size; stable while lr·λmax/2 < 1")


class Program(NamedTuple):
    """What `fit` needs beside the data."""

    lr: float
    steps: int
    dtype: str


class State(NamedTuple):
    """The last iterate."""

    estimate: Estimate
    steps: int
    limit: float


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Nothing to compile."""
    return Program(options.lr, budget.steps, place.dtype)


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Iterate from the scenario's start, or from zero; Diverged when the loss overflows."""
    lr, steps, dtype = program
    limit = point.step_limit(data, lr, "mean")
    with clock("transfer"):
        design, y, theta = _arrays(data, dtype)
    rate = np.asarray(2 * lr / len(y), dtype)
    with clock("sample"), np.errstate(all="ignore"):  # overflow is found at the checkpoints and named there
        for step in range(1, steps + 1):
            theta -= rate * (design.T @ (design @ theta - y))
            clock.checkpoint(step, partial(_look, data, step, theta, limit))
    return State(_look(data, steps, theta, limit), steps, limit)


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


def draw(state: State) -> Fit:
    """The last iterate, with the step-size limit of these data."""
    return point.least_squares_fit(
        state.estimate.mean, steps=state.steps, gradients=state.steps, stats={"lr_limit": state.limit}
    )

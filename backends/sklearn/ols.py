"""Ordinary least squares by scikit-learn's `LinearRegression`: the closed form, as most users call it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LinearRegression

from backends._shared import point
from backends._shared.point import build, draw
from bench.types import Array, Clock, Dataset

__all__ = ["FAMILIES", "KIND", "Options", "build", "draw", "fit"]

KIND = "point"
FAMILIES = ("linear",)


@dataclass(frozen=True)
class Options:
    """Nothing to set."""


def fit(program: point.Program, data: Dataset, seed: int, clock: Clock) -> point.State:
    """Solve once, which costs about one pass over the data and is counted as one gradient."""
    with clock("transfer"):
        X, y = (data.arrays[name].astype(program.place.dtype) for name in ("x", "y"))
    with clock("sample"):
        model = LinearRegression(fit_intercept="bias" in data.names).fit(X, y)
    bias: Array = np.asarray(model.intercept_, np.float64)
    return point.State(point.look(data, 1, model.coef_, bias), steps=1, gradients=1)

"""Ordinary least squares by scikit-learn's `LinearRegression`: the closed form, as most users call it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LinearRegression

from backends._shared import point
from bench.types import Array, Budget, Clock, Dataset, Fit, Place

KIND = "point"
FAMILIES = ("linear",)


@dataclass(frozen=True)
class Options:
    """Nothing to set."""


class State(NamedTuple):
    """The fitted model and its data."""

    model: LinearRegression
    data: Dataset


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> str:
    """Nothing to compile; the dtype is all that `fit` needs."""
    return place.dtype


def fit(dtype: str, data: Dataset, seed: int, clock: Clock) -> State:
    """Solve once."""
    with clock("transfer"):
        X, y = (data.arrays[name].astype(dtype) for name in ("x", "y"))
    with clock("sample"):
        model = LinearRegression(fit_intercept="bias" in data.names).fit(X, y)
    return State(model, data)


def draw(state: State) -> Fit:
    """Coefficients and intercept; one solution costs about one pass, counted as one gradient."""
    bias: Array = np.asarray(state.model.intercept_, np.float64)
    found = point.look(state.data, 1, state.model.coef_, bias)
    return point.least_squares_fit(found.mean, steps=1, gradients=1)

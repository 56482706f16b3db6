"""b²: squared errors of expectations, in units of the posterior variance. Imports NumPy only: children use it too."""

from __future__ import annotations

import numpy as np

from bench.score.functions import DEGREES, Functions
from bench.types import Array


def b2(mean: Array, sd: Array, reference: tuple[Array, Array, Array]) -> Array:
    """b² of every scalar, then of every centred square: (…, scalar) moments → (…, 2·scalar).

    (Ê f − E f)² / Var f with f = θ and f = (θ − E θ)², whose estimate is sd² + (mean − E θ)².
    """
    m, s, variance_of_square = reference
    shift = mean - m
    return np.concatenate([(shift / s) ** 2, (sd**2 + shift**2 - s**2) ** 2 / variance_of_square], axis=-1)


def b2_parts(parts: list[str]) -> list[str]:
    """Names of the functions f of `b2`, in its order."""
    return [*parts, *(f"({part})²" for part in parts)]


def judged_b2(functions: Functions, means: Array) -> Array:
    """b² of the shape of every scalar, the mean over its degrees, then of every joint function.

    Of means (point, function) of the standardised functions: (point, scalar + joint).
    """
    squares = means**2
    shape = squares[:, functions.shape].reshape(len(means), -1, len(DEGREES)).mean(axis=2)
    return np.hstack([shape, squares[:, functions.joint]])


def judged_parts(functions: Functions, parts: list[str]) -> list[str]:
    """Names of the functions of `judged_b2`, in its order."""
    return [*(f"shape of {part}" for part in parts), *functions.names[functions.joint]]

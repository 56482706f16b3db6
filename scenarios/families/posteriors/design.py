"""The rows of a regression, and the few that stand for those of a file in every sum of squares."""

from __future__ import annotations

import weakref
from typing import NamedTuple

import numpy as np

from bench.types import Array, Dataset, Parameter
from scenarios.families.posteriors.conditional import CoefficientPrior, triangular_factor


class Rows(NamedTuple):
    """Rows `a` (m, P) and `y` (m,) whose |y − a·coefficients|² is that of all `n` observations."""

    a: Array
    y: Array
    n: int


_kept: dict[int, tuple[weakref.ref[Array], weakref.ref[Array], Rows]] = {}
"""The last found of data that are read in chunks, by the identity of x: to read them again takes seconds."""


def rows(data: Dataset) -> Rows:
    """The design, a column of ones last where there is a bias, and y; of data that are read in chunks, P + 1 rows.

    Those are the triangular factor of a tall-skinny QR, which loses no digits as X'X does (Demmel et al. 2012,
    doi:10.1137/080731992).
    """
    x, y = data.arrays["x"], data.arrays["y"]
    if not data.chunk_rows:
        return Rows(with_bias(x, data), y, len(y))
    if id(x) in _kept and _kept[id(x)][0]() is x and _kept[id(x)][1]() is y:
        return _kept[id(x)][2]
    width = sum(p.size for p in located(data))
    flat = CoefficientPrior(*(np.full(width, value) for value in (0.0, np.inf, -np.inf, np.inf)))
    factor = triangular_factor(x, y, flat, np.arange(width), has_bias="bias" in data.names)
    found = Rows(factor[:, :width], factor[:, width], len(y))
    _kept.clear()
    _kept[id(x)] = weakref.ref(x), weakref.ref(y), found
    return found


def located(data: Dataset) -> list[Parameter]:
    """The coefficients of a Gaussian regression: weights, and bias if there is one."""
    return [p for p in data.parameters if p.name != "sigma"]


def with_bias(x: Array, data: Dataset) -> Array:
    """x (n, J), with a column of ones last where the model has a bias."""
    return np.hstack([x, np.ones((len(x), 1))]) if "bias" in data.names else x

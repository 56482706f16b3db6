"""How far the z of one fit move together: the numbers that Σz² must be judged by.

The z of correlated parameters are correlated, so under agreement Σz² is no χ² with as many degrees of freedom as there
are z. For z ~ N(0, R) its second and third cumulants are 2 tr R² and 8 tr R³. R is the correlation of the *errors of
means*: of batch means (Vats, Flegal & Jones 2019, arXiv:1512.07713), not of draws, which hide a slow common direction.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bench.types import Array

FEWEST_BATCHES = 12
"""Below this the third trace is mostly noise."""


class Agreement(NamedTuple):
    """Degrees of freedom of the χ² that Σz² is like.

    `effective`, (tr R)²/tr R², in mean and variance (Satterthwaite 1946); `tail`, (tr R²)³/(tr R³)², in skewness
    (Imhof 1961).
    """

    effective: float
    tail: float


def agreement(draws: Array) -> Agreement:
    """Of draws (chain, draw, scalar), none stuck; both NaN with fewer than 12 batches of √n draws."""
    chains, n, size = draws.shape
    if size == 1:
        return Agreement(1.0, 1.0)
    length = math.isqrt(n)
    batches = chains * (n // length)
    if batches < FEWEST_BATCHES:
        return Agreement(math.nan, math.nan)
    means = draws[:, : n // length * length].reshape(batches, length, size).mean(axis=1)
    means -= means.mean(axis=0)
    means /= np.sqrt((means**2).mean(axis=0))
    # Products of distinct batches only, so that noise does not pass for correlation, however many the scalars; the
    # divisors make both traces unbiased where all scalars are one, at normal batch means scaled by their own spread.
    second, third = _traces(means)
    second /= batches * (batches - 3.0)
    third /= batches * (batches**2 - 9.0 * batches + 30.0)
    second = min(max(second, size), size**2)
    third = min(max(third, second**2 / size), second**1.5)  # what any correlation matrix keeps to
    return Agreement(size**2 / second, second**3 / third**2)


def _traces(rows: Array) -> tuple[float, float]:
    """tr(P²) and tr(P³) of P = rows·rowsᵀ without its diagonal, by whichever of the two Gram matrices is smaller."""
    own = np.einsum("ij,ij->i", rows, rows)
    if len(rows) > rows.shape[1]:
        gram = rows.T @ rows
        square = gram @ gram
        of_square = np.einsum("ij,ij->i", rows @ gram, rows)  # the diagonal of (rows·rowsᵀ)²
    else:
        gram = rows @ rows.T
        square = gram @ gram
        of_square = np.diagonal(square)
    third = np.vdot(square, gram) - 3.0 * own @ of_square + 2.0 * (own**3).sum()
    return float(np.trace(square) - own @ own), float(third)

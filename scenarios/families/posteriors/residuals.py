"""Observations that a linear predictor fits without residual: what is left is rounding, and says nothing of a scale."""

from __future__ import annotations

import numpy as np

from bench.errors import NoReference
from bench.types import Array, Prior
from scenarios.families.common import priors

ROUNDINGS = 8.0
"""Roundings of a row's own terms, beside one per column, that may be left of a fit without residual."""


def are_small(squares: float, y: Array) -> bool:
    """Whether a residual sum of squares is so small that `demand` is worth its cost: 1e-6 of the observations."""
    return squares <= len(y) * (1e-6 * float(np.abs(y).max(initial=0.0))) ** 2


def demand(design: Array, y: Array, prior: Prior, *, scale: str = "sigma", of: str = "the data") -> None:
    """NoReference where the columns of `design` (n, P) fit y (n,) without residual although there are fewer than rows.

    The likelihood then rises like scale^-(n − P) towards 0 and the posterior is improper, or, under a prior that
    vanishes at 0, one of rounding noise. Without residual is a sum of squares of n·((8 + P)·eps·m)² or less, m the
    largest sum of the absolute terms of a row. A known scale is never in doubt, nor one whose prior keeps it from 0;
    columns that could fit any observations show nothing.
    """
    if prior.name == "known":
        return
    coefficients, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    largest = float((np.abs(y) + np.abs(design) @ np.abs(coefficients)).max())
    bound = (ROUNDINGS + design.shape[1]) * np.finfo(float).eps * largest
    residual = y - design @ coefficients
    if rank < len(y) and priors.positive_support(prior)[0] <= bound and float(residual @ residual) <= len(y) * bound**2:
        raise NoReference(f"{of} are fitted without residual, so they say nothing of {scale} but that it is near 0")

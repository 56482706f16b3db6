"""Moments of q on the natural scale: what VI is scored on, so that its own sampling noise is no error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.data import family
from bench.types import Array, Dataset

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(101)
"""Nodes whose weighted mean over a Normal is exact for polynomials of degree 201."""
BLOCK = 10_000
"""Draws taken at a time."""

Moments = tuple[dict[str, Array], dict[str, Array]]
Sampler = Callable[[int], Array]
"""That many independent draws z (n, dim) of q."""


def of(loc: Array, scale: Array, sample: Sampler, data: Dataset, draws: int) -> Moments:
    """Mean and sd of every parameter under a Gaussian q(z): by quadrature, or from draws where it depends on several z.

    Quadrature is for parameters that the model samples, each element of which depends on one z. For others (an effect
    mu + tau·eta) as many draws as that are taken.
    """
    if not scale.any():
        point = family(data.family).constrain(data, loc)
        return point, {name: np.zeros_like(value) for name, value in point.items()}
    exact = by_quadrature(loc, scale, data)
    if set(data.parameters) <= set(data.sites):
        return exact
    sampled = {p.name for p in data.parameters} & {p.name for p in data.sites}
    drawn = by_draws(sample, data, draws)
    mean, sd = ({name: (e if name in sampled else d)[name] for name in d} for e, d in zip(exact, drawn, strict=True))
    return mean, sd


def by_quadrature(loc: Array, scale: Array, data: Dataset) -> Moments:
    """Gauss–Hermite in each z by itself."""
    values = family(data.family).constrain(data, loc + scale * NODES[:, None])
    mean, sd = {}, {}
    for name, value in values.items():
        weights = WEIGHTS.reshape(-1, *[1] * (value.ndim - 1)) / WEIGHTS.sum()
        mean[name] = (weights * value).sum(0)
        sd[name] = np.sqrt((weights * (value - mean[name]) ** 2).sum(0))
    return mean, sd


def by_draws(sample: Sampler, data: Dataset, draws: int) -> Moments:
    """Mean and sd of that many draws of any q, in blocks whose means and squared deviations are merged."""
    count, mean, squares = 0, {}, {}
    while count < draws:
        size = min(BLOCK, draws - count)
        for name, value in family(data.family).constrain(data, sample(size)).items():
            centre = value.mean(0)
            shift = centre - mean.get(name, centre)
            mean[name] = mean.get(name, centre) + shift * size / (count + size)
            squares[name] = (
                squares.get(name, 0.0) + ((value - centre) ** 2).sum(0) + shift**2 * (count * size / (count + size))
            )
        count += size
    return mean, {name: np.sqrt(total / count) for name, total in squares.items()}

"""What the family says at the points, and how far rounding of the inputs alone may move it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.data import blocks
from bench.measure.target import STEP, absolute_terms, perturbed
from bench.protocols import Family
from bench.types import Array, Dataset, derive_seed

PERTURBATIONS = 8
CHUNK = 2_000_000
"""Observations × points that a family is given at once."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The family's log density at m points and their neighbours, `value` (r, m) and `gradient` (r, m, dim), in float64.

    `value_condition` (m,) and `gradient_condition` (m, dim) say by how much these change per unit of *relative*
    perturbation of every number that enters: a density computed in a precision u cannot be nearer than u times that.
    `terms` counts the summands of the longest sum.
    """

    value: Array
    gradient: Array
    value_condition: Array
    gradient_condition: Array
    terms: int


def expected(data: Dataset, family: Family, z: Array) -> Expected:
    """Reference values at z (r, m, dim), the points first and then their neighbours, with their conditioning.

    The condition of an entry is the root mean square, over 8 random perturbations, of its change when every datum is
    multiplied by 1 ± h and every site by what rounding its natural value to relative h means for z, over h. To that of
    the value the sum of absolute log likelihoods is added: its terms are rounded before they cancel.
    """
    value, gradient = (np.stack(part) for part in zip(*(_density(data, family, at) for at in z), strict=True))
    moved = [_density(other, family, at) for other, at in _perturbed(data, z[0])]
    change = np.mean([(v - value[0]) ** 2 for v, _ in moved], axis=0)
    slopes = np.mean([(g - gradient[0]) ** 2 for _, g in moved], axis=0)
    condition = np.sqrt(change) / STEP + np.abs(value[0]) + absolute_terms(data, family, family.constrain(data, z[0]))
    return Expected(value, gradient, condition, np.sqrt(slopes) / STEP, data.rows + data.dim)


def _perturbed(data: Dataset, z: Array) -> Iterator[tuple[Dataset, Array]]:
    """Data and points moved at random."""
    rng = np.random.default_rng(derive_seed(0, "verify", "perturb"))
    width = rounding(data, z)
    for _ in range(PERTURBATIONS):
        yield perturbed(data, rng), z + STEP * width * rng.choice([-1.0, 1.0], z.shape)


def rounding(data: Dataset, z: Array) -> Array:
    """By how much z (m, dim) moves per unit of relative rounding of z, and of the natural value it stands for.

    The latter is lower + e^z or lower + width·expit(z); both its terms are rounded, and the logit of a value next to
    a bound away from 0 moves far.
    """
    moved = np.abs(z)
    for p, columns in blocks(data.sites):
        block = z[:, columns]
        if np.isfinite(p.lower) and np.isfinite(p.upper):
            share = 1.0 / (1.0 + np.exp(-block))
            span = p.upper - p.lower
            natural, slope = abs(p.lower) + span * share, span * share * (1.0 - share)
        elif np.isfinite(p.lower) or np.isfinite(p.upper):
            slope = np.exp(block)
            natural = abs(p.lower if np.isfinite(p.lower) else p.upper) + slope
        else:
            natural, slope = np.zeros_like(block), np.ones_like(block)
        moved[:, columns] += natural / slope
    return moved


def _density(data: Dataset, family: Family, z: Array) -> tuple[Array, Array]:
    """The family's log density and gradient at z (m, dim), a few points at a time."""
    step = max(1, CHUNK // data.rows)
    parts = [family.log_density(data, z[at : at + step]) for at in range(0, len(z), step)]
    return np.concatenate([value for value, _ in parts]), np.concatenate([gradient for _, gradient in parts])

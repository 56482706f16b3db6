"""Local maxima of a smooth log density with an analytic gradient, each with its curvature."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy

from bench.errors import NoReference
from bench.types import Array

Density = Callable[[Array], tuple[Array, Array]]
"""Log density and gradient at points (m, dim): (m,), (m, dim)."""

SEARCHES = 6
"""Starts drawn from U(−2, 2) beside the given one and 0."""
STEP = 1e-4
"""Of a central difference, in standard deviations: truncation and rounding then both leave about 1e-8 of a slope."""
CERTAIN = 1e-8
"""Newton decrement in nats below which a step is taken unseen: rounding of the density hides its gain."""
STEEPEST = 1e100
"""Slope or curvature beyond which a start leads nowhere: the optimiser squares them."""
NEGLIGIBLE = 20.0
"""Nats below the best by which the Laplace mass of a mode may fall before the mode is left out."""


class Mode(NamedTuple):
    """A maximum, (dim,), its log density, the covariance (dim, dim) of its Laplace approximation, and log its mass."""

    at: Array
    value: float
    covariance: Array
    log_mass: float


def starts(first: Array) -> Array:
    """A given start, the origin, and points of U(−2, 2) of a fixed seed: (k, dim)."""
    scattered = np.random.default_rng(0).uniform(-2.0, 2.0, (SEARCHES, len(first)))
    return np.vstack([first, np.zeros_like(first), scattered])


def find(density: Density, begin: Array) -> list[Mode]:
    """The distinct maxima that are reached from the rows of `begin`, greatest first; NoReference where there is none.

    Those whose Laplace mass is negligible beside the heaviest are left out, but never the greatest.
    """
    maxima: list[Mode] = []
    with np.errstate(all="ignore"):  # a trial step may leave the finite numbers; it is then refused
        for start in begin:
            mode = _climb(density, np.asarray(start, dtype=float))
            if mode is not None and not any(_same(mode, other) for other in maxima):
                maxima.append(mode)
    if not maxima:
        raise NoReference("no maximum of the posterior density was found: it may be improper, or rise towards a bound")
    maxima.sort(key=lambda mode: -mode.value)
    heaviest = max(mode.log_mass for mode in maxima)
    return [m for i, m in enumerate(maxima) if i == 0 or m.log_mass > heaviest - NEGLIGIBLE]


def hessian(density: Density, z: Array, scale: Array) -> Array:
    """Second derivatives by central differences of the gradient over STEP·scale, made symmetric: (dim, dim)."""
    steps = np.diag(STEP * scale)
    gradients = density(np.concatenate([z + steps, z - steps]))[1]
    slopes = (gradients[: len(z)] - gradients[len(z) :]) / (2.0 * STEP * scale)[:, None]
    return np.asarray(0.5 * (slopes + slopes.T))


def _scale(curvature: Array) -> Array:
    """Conditional standard deviations by the diagonal of a Hessian, 1 where it says nothing."""
    diagonal = np.abs(np.diag(curvature))
    usable = np.isfinite(diagonal) & (diagonal > 1e-12)
    return np.asarray(np.where(usable, 1.0 / np.sqrt(np.where(usable, diagonal, 1.0)), 1.0))


def _climb(density: Density, start: Array) -> Mode | None:
    bend = hessian(density, start, np.full(len(start), 0.01))
    if not (np.all(np.abs(density(start[None])[1]) < STEEPEST) and np.all(np.abs(bend) < STEEPEST)):
        return None
    scale = _scale(bend)

    def value(u: Array) -> float:
        least = -float(density((u * scale)[None])[0][0])
        return least if math.isfinite(least) else 1e300

    def gradient(u: Array) -> Array:
        return np.asarray(np.nan_to_num(-density((u * scale)[None])[1][0] * scale))

    def curvature(u: Array) -> Array:
        return np.asarray(np.nan_to_num(-hessian(density, u * scale, scale) * np.outer(scale, scale)))

    # In units of the start's own curvature, where a trust region is round; the last digits are Newton's.
    reached = scipy.optimize.minimize(
        value, start / scale, jac=gradient, hess=curvature, method="trust-exact", options={"gtol": 1e-3, "maxiter": 200}
    )
    return _polish(density, reached.x * scale)


def _polish(density: Density, z: Array) -> Mode | None:
    """Newton steps until their decrement is rounding; None where this is no maximum."""
    scale = _scale(hessian(density, z, np.full(len(z), 0.01)))
    before = math.inf
    value, slope = density(z[None])
    for _ in range(50):
        curvature = -hessian(density, z, scale)
        if not np.isfinite(curvature).all() or not np.isfinite(value).all():
            return None
        try:
            factor = scipy.linalg.cho_factor(curvature, lower=True)
        except scipy.linalg.LinAlgError:
            return None
        step = scipy.linalg.cho_solve(factor, slope[0])
        decrement = 0.5 * float(slope[0] @ step)
        if decrement < 1e-24 or (decrement < 1e-14 and decrement > 0.25 * before):
            return _mode(z, float(value[0]), factor)
        length = 1.0
        while True:
            trial = density((z + length * step)[None])
            if decrement < CERTAIN or trial[0][0] >= value[0] + 0.1 * length * decrement or length < 1e-9:
                break
            length *= 0.5
        z, (value, slope), before, scale = z + length * step, trial, decrement, _scale(curvature)
    return None


def _mode(z: Array, value: float, factor: tuple[Array, bool]) -> Mode:
    dim = len(z)
    covariance = scipy.linalg.cho_solve(factor, np.eye(dim))
    log_det = -2.0 * float(np.log(np.diag(factor[0])).sum())
    return Mode(z, value, covariance, value + 0.5 * (dim * math.log(2.0 * math.pi) + log_det))


def _same(one: Mode, other: Mode) -> bool:
    """Whether two maxima are closer than a hundredth of a standard deviation."""
    gap = one.at - other.at
    return float(gap @ np.linalg.solve(other.covariance, gap)) < 1e-4

"""Coordinates of a standard deviation on the real line, and a density there known on a lattice.

Interpolation by sinc functions converges exponentially as the trapezoid rule does (Stenger 1993, Numerical Methods
Based on Sinc and Analytic Functions).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
import scipy

from bench.types import Array
from scenarios.families.common import transforms

ROUNDING = 16.0 * float(np.finfo(float).eps)
"""By how much a distribution function at a quantile may differ from p: some units of what rounds in a spline near 1."""
Curve = Callable[[Array], Array]
"""A function on the real line, elementwise."""


class Line(Protocol):
    """A smooth increasing map of the real line onto an interval."""

    def natural(self, t: Array) -> Array:
        """x of t, elementwise."""
        ...

    def inverse(self, x: Array) -> Array:
        """t of x, elementwise."""
        ...

    def log_jacobian(self, t: Array) -> Array:
        """log dx/dt, elementwise."""
        ...


class Logarithmic:
    """x = lower + eᵛ with v = centre + t: for a density that falls fast at both ends of a half-line."""

    def __init__(self, lower: float, centre: float) -> None:
        self._lower, self._centre = lower, centre

    def natural(self, t: Array) -> Array:
        """x of t, elementwise."""
        return np.asarray(self._lower + np.exp(self._centre + t))

    def inverse(self, x: Array) -> Array:
        """t of x, elementwise."""
        return np.asarray(np.log(x - self._lower) - self._centre)

    def log_jacobian(self, t: Array) -> Array:
        """log dx/dt, elementwise."""
        return np.asarray(self._centre + t)


class HalfLine:
    """x = lower + eᵛ with v = centre + t − e⁻ᵗ: for a density that is finite at the end of a half-line.

    The mass near that end, which falls like x, falls doubly exponentially in t: a window of 50 units shrinks to 10.
    """

    def __init__(self, lower: float, centre: float) -> None:
        self._lower, self._centre = lower, centre

    def natural(self, t: Array) -> Array:
        """x of t, elementwise."""
        return np.asarray(self._lower + np.exp(self._centre + t - np.exp(-t)))

    def inverse(self, x: Array) -> Array:
        """t of x, elementwise: e⁻ᵗ is the omega function of centre − v."""
        v = np.log(x - self._lower) - self._centre
        return np.asarray(v + scipy.special.wrightomega(-v))

    def log_jacobian(self, t: Array) -> Array:
        """log dx/dt, elementwise."""
        fast = np.exp(-t)
        return np.asarray(self._centre + t - fast + np.log1p(fast))


class Interval:
    """x with logit v = centre + 2·sinh t of (lower, upper): for a density that is finite at both ends (tanh-sinh)."""

    def __init__(self, lower: float, upper: float, centre: float) -> None:
        self._bounds, self._centre = (lower, upper), centre

    def natural(self, t: Array) -> Array:
        """x of t, elementwise; no nearer to the ends than e⁻⁸⁰ of the width, so that no scale is 0."""
        return transforms.to_natural(np.clip(self._centre + 2.0 * np.sinh(t), -80.0, 80.0), *self._bounds)

    def inverse(self, x: Array) -> Array:
        """t of x, elementwise."""
        return np.asarray(np.arcsinh(0.5 * (transforms.to_unconstrained(x, *self._bounds) - self._centre)))

    def log_jacobian(self, t: Array) -> Array:
        """log dx/dt, elementwise."""
        steep = np.log(2.0 * np.cosh(t))
        return np.asarray(transforms.log_jacobian(self._centre + 2.0 * np.sinh(t), *self._bounds)[0] + steep)


class LatticeMarginal:
    """One coordinate's marginal: masses (K,) at equally spaced t (K,).

    Its distribution function is Σ mass·(1/2 + Si(π(t − t_i)/h)/π), the integral of the sinc interpolant, kept as a
    cubic Hermite spline of eight panels per step: to about 1e-11.
    """

    def __init__(self, t: Array, mass: Array, line: Line) -> None:
        self._mass, self._line, self._x = mass / mass.sum(), line, line.natural(t)
        fine, step = np.linspace(t[0], t[-1], 8 * (len(t) - 1) + 1), t[1] - t[0]
        away = (fine[:, None] - t) / step
        density = np.sinc(away) @ self._mass / step
        total = (0.5 + scipy.special.sici(math.pi * away)[0] / math.pi) @ self._mass
        self._t, self._cumulative = fine, scipy.interpolate.CubicHermiteSpline(fine, total, density)
        self._slope = self._cumulative.derivative()
        self._at_nodes = np.maximum.accumulate(np.clip(total, 0.0, 1.0))

    @property
    def mean(self) -> float:
        """Posterior mean."""
        return float(self._mass @ self._x)

    def central_moment(self, order: int) -> float:
        """E[(x − E x)^order | y]."""
        return float(self._mass @ (self._x - self.mean) ** order)

    def cdf(self, x: Array) -> Array:
        """Distribution function, elementwise."""
        x = np.asarray(x, dtype=float)
        inside = np.clip(x, self._x[0], self._x[-1])
        value = np.clip(self._cumulative(np.clip(self._line.inverse(inside), self._t[0], self._t[-1])), 0.0, 1.0)
        return np.where(x < inside, 0.0, np.where(x > inside, 1.0, value))

    def quantile(self, p: Array) -> Array:
        """The inverse of `cdf`, elementwise; p in (0, 1)."""
        return self._line.natural(self.quantile_of_t(np.asarray(p, dtype=float)))

    def quantile_of_t(self, p: Array) -> Array:
        """Quantiles of t, elementwise."""
        return spline_quantile(p, self._t, self._at_nodes, self._cumulative, self._slope)


def spline_quantile(p: Array, t: Array, at_nodes: Array, cumulative: Curve, slope: Curve) -> Array:
    """Where a distribution function is p, elementwise, by Newton steps kept inside a panel of its spline.

    `at_nodes` (K,) are its values at the nodes t (K,), `cumulative` its spline and `slope` that of the density. It is
    solved to ROUNDING in p, of which a spline has a few units; a p that is no number has a quantile that is none.
    """
    every = np.ravel(p)
    panel = np.clip(np.searchsorted(at_nodes, every, side="right") - 1, 0, len(t) - 2)
    left, right = t[panel], t[panel + 1]
    low, high = at_nodes[panel], at_nodes[panel + 1]
    share = np.divide(every - low, high - low, out=np.full_like(every, 0.5), where=high > low)
    x = left + (right - left) * np.clip(share, 0.0, 1.0)  # near enough for a step or two to do
    x[np.isnan(every)] = np.nan
    moving = np.arange(len(every))
    for _ in range(60):
        at = x[moving]
        excess = cumulative(at) - every[moving]
        off = np.abs(excess) > ROUNDING
        moving, at, excess = moving[off], at[off], excess[off]
        if not len(moving):
            break
        steep = slope(at)
        left[moving] = np.where(excess < 0.0, at, left[moving])
        right[moving] = np.where(excess < 0.0, right[moving], at)
        newton = at - excess / np.where(steep > 0.0, steep, np.inf)
        inside = (newton > left[moving]) & (newton < right[moving])
        x[moving] = np.where(inside, newton, 0.5 * (left[moving] + right[moving]))
        moving = moving[np.abs(x[moving] - at) > 4.0 * np.finfo(float).eps * (1.0 + np.abs(at))]
    return np.reshape(x, np.shape(p))

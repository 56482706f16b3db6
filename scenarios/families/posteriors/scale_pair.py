"""The two-dimensional posterior of a pair of standard deviations, given their marginal likelihood, on a lattice.

The trapezoid rule converges exponentially in both unconstrained coordinates (Trefethen & Weideman 2014, SIAM Review).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

import numpy as np
import scipy

from bench.errors import NoReference
from bench.types import Array, Prior
from scenarios.families.common import priors, transforms
from scenarios.families.posteriors.lattice import HalfLine, Interval, LatticeMarginal, Line, Logarithmic
from scenarios.families.posteriors.sigma_posterior import NATS

MARGIN = 2.0
"""Nats added to the depth of the window, since its edges are found from conditional maxima."""

LARGEST = 2**20
"""Nodes in all."""


class ScalePair:
    """p(first, second | y) for priors on (0, ∞) or an interval; `log_likelihood` takes both (K,) and gives (K,).

    `first` is the one whose conditional posterior given the other is a single narrow peak (a residual standard
    deviation); `scales` are rough values of both. `log_mass` is that of the lattice `t_first` × `t_second`. The upper
    ends of the windows make room for fourth moments.
    """

    def __init__(
        self,
        log_likelihood: Callable[[Array, Array], Array],
        prior_pair: tuple[Prior, Prior],
        *,
        scales: tuple[float, float],
    ) -> None:
        self._log_likelihood, self._priors = log_likelihood, prior_pair
        first, second = map(priors.positive_support, prior_pair)
        centres = [self._centre(s, b) for s, b in zip(scales, (first, second), strict=True)]
        self._lines: tuple[Line, Line] = (
            Interval(*first, centres[0]) if math.isfinite(first[1]) else Logarithmic(first[0], centres[0]),
            Interval(*second, centres[1]) if math.isfinite(second[1]) else HalfLine(second[0], centres[1]),
        )
        self._window = self._windows()
        self.t_first, self.t_second, self.log_mass, self.log_evidence = self._converged()

    @staticmethod
    def _centre(scale: float, bounds: tuple[float, float]) -> float:
        if math.isfinite(bounds[1]):
            margin = 1e-3 * (bounds[1] - bounds[0])
            scale = min(max(scale, bounds[0] + margin), bounds[1] - margin)
        return float(transforms.to_unconstrained(np.array(scale), *bounds))

    def natural(self, first: Array, second: Array) -> tuple[Array, Array]:
        """The pair that unconstrained coordinates stand for."""
        return self._lines[0].natural(first), self._lines[1].natural(second)

    def log_target(self, first: Array, second: Array) -> Array:
        """Log of likelihood × priors × Jacobians at unconstrained coordinates of one shape, any."""
        shape, first, second = first.shape, first.ravel(), second.ravel()
        pair = self.natural(first, second)
        total = self._log_likelihood(*pair)
        for x, t, prior, line in zip(pair, (first, second), self._priors, self._lines, strict=True):
            total = total + priors.log_density(prior, x) + line.log_jacobian(t)
        return np.asarray(total).reshape(shape)

    def _windows(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Where the target, and at the upper ends the target times fourth powers, has fallen by NATS and the margin."""
        second = np.concatenate([np.linspace(-4.5, 6.0, 43), np.linspace(7.0, 60.0, 54)])
        peak, height = self._ridge(second)
        log_second = np.log(self._lines[1].natural(second))
        tall = height > height.max() - NATS - MARGIN
        heavy = height + 4.0 * log_second
        tall_heavy = heavy > heavy.max() - NATS - MARGIN
        low, high = int(np.argmax(tall)) - 1, len(second) - int(np.argmax((tall | tall_heavy)[::-1]))
        if low < 0 or high >= len(second):
            raise NoReference("the posterior of tau is improper or lacks a fourth moment: too few groups")
        rows = slice(low, high + 1)
        left = self._reach(second[rows], peak[rows], -1.0, (0.0,))
        right = self._reach(second[rows], peak[rows], 1.0, (0.0, 4.0))
        return (left, right), (float(second[low]), float(second[high]))

    def _ridge(self, second: Array) -> tuple[Array, Array]:
        """Maximum over the first coordinate for each value of the second, by shrinking brackets: where and how high."""
        best = np.zeros(len(second))
        offsets, width = np.linspace(-30.0, 30.0, 25), 2.5
        for _ in range(16):
            first = best[:, None] + offsets
            values = self.log_target(first, np.broadcast_to(second[:, None], first.shape))
            at = np.argmax(values, axis=1)
            best, height = first[np.arange(len(second)), at], values[np.arange(len(second)), at]
            offsets, width = width * np.array([-0.5, 0.0, 0.5]), 0.5 * width
        return best, height

    def _reach(self, second: Array, peak: Array, sign: float, powers: tuple[float, ...]) -> float:
        """The furthest edge, over all rows, of where the target × first^power is within the window's depth."""
        offsets = np.concatenate([[0.0], 1e-3 * 1.2 ** np.arange(66)])
        first = peak[:, None] + sign * offsets
        values = self.log_target(first, np.broadcast_to(second[:, None], first.shape))
        with np.errstate(divide="ignore"):
            logs = np.log(self._lines[0].natural(first))
        edges = []
        for power in powers:
            inside = values + power * logs > (values + power * logs).max() - NATS - MARGIN
            last = len(offsets) - 1 - np.argmax(inside[:, ::-1], axis=1)
            rows = inside.any(axis=1)
            if np.any(last[rows] == len(offsets) - 1):
                where = "does not fall towards 0" if sign < 0.0 else "lacks a fourth moment: too few observations"
                raise NoReference(f"the posterior of sigma is improper or {where}")
            edges.append(float(np.max(sign * peak[rows] + offsets[last[rows] + 1])))
        return sign * max(edges)

    def _converged(self) -> tuple[Array, Array, Array, float]:
        panels = [32, 32]
        while panels[0] * panels[1] <= LARGEST:
            first, second = (np.linspace(*w, n + 1) for w, n in zip(self._window, panels, strict=True))
            height = self.log_target(*np.broadcast_arrays(first[:, None], second))
            top = float(height.max())
            mass = np.exp(height - top)
            area = float((first[1] - first[0]) * (second[1] - second[0]))
            now = top + math.log(area * float(mass.sum()))
            # half as many nodes along either axis must give the same, to 1e-13 or the rounding of a large likelihood
            tolerance = 1e-13 + 16.0 * np.finfo(float).eps * abs(top)
            coarser = [abs(math.log(2.0 * float(part.sum()) / float(mass.sum()))) for part in (mass[::2], mass[:, ::2])]
            if max(coarser) <= tolerance:
                return first, second, height, now
            panels = [n * 2 if change > tolerance else n for n, change in zip(panels, coarser, strict=True)]
        raise NoReference(f"the evidence integral over sigma and tau has not settled with {LARGEST} nodes")

    def marginals(self) -> tuple[LatticeMarginal, LatticeMarginal]:
        """Of the first and of the second."""
        return self._marginals

    @cached_property
    def _marginals(self) -> tuple[LatticeMarginal, LatticeMarginal]:
        mass = np.exp(self.log_mass - self.log_mass.max())
        one = LatticeMarginal(self.t_first, mass.sum(axis=1), self._lines[0])
        return one, LatticeMarginal(self.t_second, mass.sum(axis=0), self._lines[1])

    def nodes(self, light: float, *, every: int = 1) -> tuple[Array, Array, Array]:
        """Weights, first and second (K,) of every so-many-th node per axis, without those below `light` × the top."""
        height = self.log_mass[::every, ::every]
        mass = np.exp(height - height.max())
        keep = mass > light
        first, second = np.broadcast_arrays(self.t_first[::every, None], self.t_second[::every])
        return mass[keep] / mass[keep].sum(), *self.natural(first[keep], second[keep])

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Independent pairs, (n,) each: the second by its inverse distribution function, then the first given it.

        Given the second, the first is drawn from its lattice shifted by a uniform part of a step. The sum over a
        lattice does not depend on the shift where the trapezoid rule is exact, so the draw has the density itself; that
        is read from a quintic spline of its logarithm at the nodes, to about 1e-7.
        """
        second = self._marginals[1].quantile_of_t(rng.random(n))
        lattice = self.t_first[1:-1:2]
        first = lattice + (lattice[1] - lattice[0]) * rng.uniform(-0.5, 0.5, n)[:, None]
        height = self._spline.ev(first, np.broadcast_to(second[:, None], first.shape))
        mass = np.cumsum(np.exp(height - height.max(axis=1, keepdims=True)), axis=1)
        chosen = (mass < rng.random(n)[:, None] * mass[:, -1:]).sum(axis=1)
        return self.natural(first[np.arange(n), chosen], second)

    @cached_property
    def _spline(self) -> scipy.interpolate.RectBivariateSpline:
        return scipy.interpolate.RectBivariateSpline(self.t_first, self.t_second, self.log_mass, kx=5, ky=5, s=0)

"""The one-dimensional posterior of sigma, given its marginal likelihood: nodes, evidence, distribution function."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

import numpy as np
import scipy

from bench.errors import NoReference
from bench.types import Array, Prior
from scenarios.families.common import priors, transforms
from scenarios.families.posteriors.lattice import spline_quantile

NATS = 46.0
"""Depth of the window below the mode: e⁻⁴⁶ is 1e-20, below the rounding of the sums."""

REACH = 150.0
"""How far the search for the window goes on either side, in units of the unconstrained coordinate."""

FINEST = 2**15


class SigmaPosterior:
    """p(sigma | y) for a prior on (0, ∞) or an interval, by the trapezoid rule in the unconstrained coordinate t.

    The rule converges exponentially for a smooth integrand that vanishes at both ends (Trefethen & Weideman 2014). It
    works in log sigma, or in the logit of a bounded sigma. `nodes` (K,) are values of sigma and `weights` (K,) their
    posterior masses. The window's upper end makes room for sigma⁴, so that fourth moments converge too.
    """

    def __init__(
        self, log_likelihood: Callable[[Array], Array], prior: Prior, *, scale: float, name: str = "sigma"
    ) -> None:
        self._bounds, self._name = priors.positive_support(prior), name
        self._log_likelihood, self._prior = log_likelihood, prior
        centre = 0.0 if math.isfinite(self._bounds[1]) else math.log(scale)
        self._low, self._high = self._window(centre + np.linspace(-REACH, REACH, 1201))
        self.log_evidence, t = self._converged()
        log_mass = self._log_target(t)
        mass = np.exp(log_mass - log_mass.max())
        self.nodes, self.weights = self._sigma(t), mass / mass.sum()

    def _sigma(self, t: Array) -> Array:
        return transforms.to_natural(t, *self._bounds)

    def _log_target(self, t: Array) -> Array:
        """Log of likelihood × prior × |dsigma/dt|."""
        sigma = self._sigma(t)
        return (
            self._log_likelihood(sigma)
            + priors.log_density(self._prior, sigma)
            + transforms.log_jacobian(t, *self._bounds)[0]
        )

    def _window(self, grid: Array) -> tuple[float, float]:
        """Where the target, and at the upper end sigma⁴ × target, has fallen by NATS; NoReference if it does not."""
        best = int(np.argmax(self._log_target(grid)))
        around = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
        mode = scipy.optimize.minimize_scalar(
            lambda t: -self._log_target(np.array([t]))[0], bounds=around, method="bounded"
        )
        t = np.sort(np.append(grid, mode.x))
        return self._edge(t, 0.0), -self._edge(-t[::-1], 4.0)

    def _edge(self, t: Array, power: float) -> float:
        sign = 1.0 if power == 0.0 else -1.0

        def height(at: Array) -> Array:
            return self._log_target(sign * at) + power * np.log(self._sigma(sign * at))

        heights = height(t)
        threshold = float(heights.max()) - NATS
        first = int(np.argmax(heights > threshold))
        if first == 0:
            where = "does not fall towards 0" if power == 0.0 else "lacks a fourth moment: too few observations"
            raise NoReference(f"the posterior of {self._name} is improper or {where}")
        return float(
            scipy.optimize.brentq(lambda at: float(height(np.array([at]))[0]) - threshold, t[first - 1], t[first])
        )

    def _converged(self) -> tuple[float, Array]:
        previous, count = math.nan, 128
        while count <= FINEST:
            t, step = np.linspace(self._low, self._high, count + 1, retstep=True)
            height = self._log_target(t)
            top = float(height.max())
            change = math.log(float(np.exp(height - top).sum()) * float(step))
            now = top + change
            # 1e-13, or the rounding of a log likelihood that is itself a sum of large terms.
            if abs(now - previous) <= 1e-13 + 16.0 * np.finfo(float).eps * abs(top):
                return now, t
            previous, count = now, 2 * count
        raise NoReference(f"the evidence integral over {self._name} has not settled with {FINEST} nodes")

    @cached_property
    def _spline(self) -> tuple[Array, scipy.interpolate.PPoly, Array, scipy.interpolate.PPoly]:
        """Nodes of t, the density's spline, its distribution function at the nodes, and that function's spline.

        4096 panels or more over about 20 standard deviations leave a cubic spline an error of 1e-11.
        """
        t = np.linspace(self._low, self._high, max(4096, 4 * (len(self.nodes) - 1)) + 1)
        height = self._log_target(t)
        density = np.exp(height - height.max())
        spline = scipy.interpolate.CubicSpline(t, density)
        total = spline.antiderivative()
        scale = 1.0 / float(total(t[-1]))
        spline = spline.__class__.construct_fast(spline.c * scale, t)
        cumulative = scipy.interpolate.PPoly(total.c * scale, t)
        return t, spline, np.maximum.accumulate(np.clip(cumulative(t), 0.0, 1.0)), cumulative

    def cdf(self, sigma: Array) -> Array:
        """P(sigma' ≤ sigma | y), elementwise, to about 1e-11."""
        sigma = np.asarray(sigma, dtype=float)
        t, _, _, cumulative = self._spline
        inside = np.clip(sigma, *self._sigma(t[[0, -1]]))
        value = cumulative(np.clip(transforms.to_unconstrained(inside, *self._bounds), t[0], t[-1]))
        return np.where(sigma < inside, 0.0, np.where(sigma > inside, 1.0, np.clip(value, 0.0, 1.0)))

    def quantile(self, p: Array) -> Array:
        """The inverse of `cdf`, elementwise; p in (0, 1)."""
        t, density, at_nodes, cumulative = self._spline
        return self._sigma(spline_quantile(np.asarray(p, dtype=float), t, at_nodes, cumulative, density))

    @property
    def mean(self) -> float:
        """Posterior mean."""
        return float(self.weights @ self.nodes)

    def central_moment(self, order: int) -> float:
        """E[(sigma − E sigma)^order | y]."""
        return float(self.weights @ (self.nodes - self.mean) ** order)


class KnownSigma:
    """The same interface when sigma is given: one node of mass 1."""

    def __init__(self, log_likelihood: Callable[[Array], Array], value: float) -> None:
        self.nodes, self.weights = np.array([value]), np.ones(1)
        self.log_evidence = float(log_likelihood(self.nodes)[0])

    def quantile(self, p: Array) -> Array:
        """The known value, in the shape of p."""
        return np.full(np.shape(p), self.nodes[0])

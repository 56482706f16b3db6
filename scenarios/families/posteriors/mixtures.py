"""Distribution functions and quantiles of finite mixtures of normals, many mixtures at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy

from bench.protocols import DerivedExact
from bench.types import Array

CHUNK = 4_000_000
"""Component values held at once: 32 MB of float64."""

NEGLIGIBLE = 1e-19
"""Components lighter than this times the heaviest change no distribution function by more than 1e-16 in all."""


def _quantile(p: Array, weights: Array, means: Array, sds: Array) -> Array:
    own = means[None] + scipy.special.ndtri(p)[:, None, None] * sds[None]
    low, high = own.min(axis=1), own.max(axis=1)
    x: Array = np.einsum("k,mkp->mp", weights, own)
    for _ in range(100):
        standard = (x[:, None, :] - means) / sds
        excess = np.einsum("k,mkp->mp", weights, scipy.special.ndtr(standard)) - p[:, None]
        low, high = np.where(excess < 0.0, x, low), np.where(excess < 0.0, high, x)
        density = np.einsum("k,mkp->mp", weights, np.exp(-0.5 * standard**2) / sds) / np.sqrt(2.0 * np.pi)
        newton = x - excess / np.where(density > 0.0, density, np.inf)
        moved = np.where((newton >= low) & (newton <= high), newton, 0.5 * (low + high))
        # the rounding of a sum of thousands of components moves a root by some 1e-14 of their width
        settled = np.abs(moved - x) <= 64.0 * np.finfo(float).eps * np.maximum(np.abs(x), weights @ sds)
        x = moved
        if settled.all():
            break
    return x


@dataclass(frozen=True, slots=True)
class NormalMixture:
    """P mixtures of K normals that share their weights (K,); means and sds are (K, P)."""

    weights: Array
    means: Array
    sds: Array

    def cdf(self, x: Array) -> Array:
        """Distribution function at x (m, P), same shape."""
        heavy, value = self._heavy(), np.empty(x.shape)
        for part in heavy.chunks(len(x)):
            standard = (x[part, None, :] - heavy.means) / heavy.sds
            value[part] = np.einsum("k,mkp->mp", heavy.weights, scipy.special.ndtr(standard))
        return value

    def quantile(self, p: Array) -> Array:
        """Quantiles at p (m,): (m, P), by Newton steps on the distribution function, kept inside a bracket.

        The bracket is the least and the greatest of the components' own quantiles.
        """
        heavy, value = self._heavy(), np.empty((len(p), self.means.shape[1]))
        for part in heavy.chunks(len(p)):
            value[part] = _quantile(p[part], heavy.weights, heavy.means, heavy.sds)
        return value

    def _heavy(self) -> NormalMixture:
        """Without the components that are negligible."""
        keep = self.weights > NEGLIGIBLE * self.weights.max()
        return NormalMixture(self.weights[keep], self.means[keep], self.sds[keep])

    def chunks(self, size: int) -> Iterator[slice]:
        """Parts of so many rows of which each is computed at once."""
        step = max(1, CHUNK // max(1, self.means.size))
        return (slice(at, at + step) for at in range(0, size, step))

    def widened(self, sds: Array) -> NormalMixture:
        """The mixture with independent normals of mean 0 and standard deviation sds (K,) added to its components."""
        return NormalMixture(self.weights, self.means, np.hypot(self.sds, sds[:, None]))

    def summary(self) -> DerivedExact:
        """Mean, sd, and 2.5 % and 97.5 % quantiles, each (P,)."""
        mean = self.weights @ self.means
        sd = np.sqrt(self.weights @ (np.square(self.sds) + np.square(self.means - mean)))
        low, high = self.quantile(np.array([0.025, 0.975]))
        return DerivedExact(mean, sd, low, high)

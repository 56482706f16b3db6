"""Distribution functions and quantiles of finite mixtures of normals, many mixtures at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from bench.types import Array, DerivedExact

CHUNK = 4_000_000
"""Component values held at once: 32 MB of float64."""

NEGLIGIBLE = 1e-19
"""Components lighter than this times the heaviest change no distribution function by more than 1e-16 in all."""


def normal_mixture_cdf(x: Array, weights: Array, means: Array, sds: Array) -> Array:
    """P(value ≤ x) of P mixtures of K normals: x (m, P), weights (K,), means and sds (K, P) → (m, P)."""
    keep = weights > NEGLIGIBLE * weights.max()
    weights, means, sds = weights[keep], means[keep], sds[keep]
    value = np.empty(x.shape)
    step = max(1, CHUNK // max(1, means.size))
    for at in range(0, len(x), step):
        part = x[at : at + step, None, :]
        value[at : at + step] = np.einsum("k,mkp->mp", weights, scipy.special.ndtr((part - means) / sds))
    return value


def normal_mixture_quantile(p: Array, weights: Array, means: Array, sds: Array) -> Array:
    """Quantiles p (m,) of P mixtures: Newton steps on the distribution function, kept inside a bracket → (m, P).

    The bracket is the least and the greatest of the components' own quantiles.
    """
    keep = weights > NEGLIGIBLE * weights.max()
    weights, means, sds = weights[keep], means[keep], sds[keep]
    value = np.empty((len(p), means.shape[1]))
    step = max(1, CHUNK // max(1, means.size))
    for at in range(0, len(p), step):
        value[at : at + step] = _quantile(p[at : at + step], weights, means, sds)
    return value


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
        return normal_mixture_cdf(x, self.weights, self.means, self.sds)

    def quantile(self, p: Array) -> Array:
        """Quantiles at p (m,): (m, P)."""
        return normal_mixture_quantile(p, self.weights, self.means, self.sds)

    def widened(self, sds: Array) -> NormalMixture:
        """The mixture with independent normals of mean 0 and standard deviation sds (K,) added to its components."""
        return NormalMixture(self.weights, self.means, np.hypot(self.sds, sds[:, None]))

    def summary(self) -> DerivedExact:
        """Mean, sd, and 2.5 % and 97.5 % quantiles, each (P,)."""
        mean = self.weights @ self.means
        sd = np.sqrt(self.weights @ (np.square(self.sds) + np.square(self.means - mean)))
        low, high = self.quantile(np.array([0.025, 0.975]))
        return DerivedExact(mean, sd, low, high)

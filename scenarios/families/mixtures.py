"""Distribution functions and quantiles of finite mixtures of normals, many mixtures at once."""

from __future__ import annotations

import numpy as np
from scipy import special

from bench.types import Array

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
        value[at : at + step] = np.einsum("k,mkp->mp", weights, special.ndtr((part - means) / sds))
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
    own = means[None] + special.ndtri(p)[:, None, None] * sds[None]
    low, high = own.min(axis=1), own.max(axis=1)
    x: Array = np.einsum("k,mkp->mp", weights, own)
    for _ in range(100):
        standard = (x[:, None, :] - means) / sds
        excess = np.einsum("k,mkp->mp", weights, special.ndtr(standard)) - p[:, None]
        low, high = np.where(excess < 0.0, x, low), np.where(excess < 0.0, high, x)
        density = np.einsum("k,mkp->mp", weights, np.exp(-0.5 * standard**2) / sds) / np.sqrt(2.0 * np.pi)
        newton = x - excess / np.where(density > 0.0, density, np.inf)
        moved = np.where((newton >= low) & (newton <= high), newton, 0.5 * (low + high))
        settled = np.abs(moved - x) <= 4.0 * np.finfo(float).eps * np.maximum(np.abs(x), sds.min(axis=0))
        x = moved
        if settled.all():
            break
    return x

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


MANY = 20
"""Quantiles from which they are read off a table of the distribution function."""

STEP, BEYOND = 0.25, 0.4
"""Normal scores between the points of a table, and how far it reaches beyond the outermost quantile."""

AGREED = 1e-8
"""Standard deviations by which a table of half the points may be off at the others; the whole one is off by a 64th."""


def _tabled(p: Array, weights: Array, means: Array, sds: Array) -> Array:
    """Quantiles at p (m,) of components (K, P): (m, P), NaN where the table does not reach or is too coarse.

    x is a smooth function of its normal score g = Φ⁻¹(F(x)), of which the densities give two derivatives: interpolated
    by polynomials of degree five (Hermite) between points that are equally spaced in x.
    """
    scores = scipy.special.ndtri(p)
    reach = STEP * 2 * np.ceil((np.abs(scores).max() + BEYOND) / STEP / 2)
    z = np.arange(-reach, reach + STEP / 2, STEP)
    mean = weights @ means
    sd = np.sqrt(weights @ (np.square(sds) + np.square(means - mean)))
    points = np.empty((4, len(z), len(mean)))
    with np.errstate(all="ignore"):  # far from all components there is no density: NaN, which nothing agrees with
        for i, score in enumerate(z):
            points[:, i] = _point(mean + score * sd, weights, means, sds, upper=score > 0.0)
        odd = _hermite(points[0, 1::2], points[:, ::2])
        close = (np.abs(odd - points[1, 1::2]) <= AGREED * sd).all(axis=0)
        close &= (points[0, 0] < scores.min()) & (points[0, -1] > scores.max())
        return np.where(close, _hermite(np.broadcast_to(scores[:, None], (len(p), len(mean))), points), np.nan)


def _point(x: Array, weights: Array, means: Array, sds: Array, *, upper: bool) -> tuple[Array, Array, Array, Array]:
    """Of x (P,): its normal score, x itself, and the first two derivatives of x by the score."""
    standard = (x - means) / sds
    side = -1.0 if upper else 1.0  # the smaller of the two tails, which rounding leaves its digits
    score = side * scipy.special.ndtri(weights @ scipy.special.ndtr(side * standard))
    height = np.exp(-0.5 * np.square(standard)) / sds
    density = weights @ height
    first = np.exp(-0.5 * np.square(score)) / density
    steep = -(weights @ (height * standard / sds)) / density
    return score, x, first, -first * (score + first * steep)


def _hermite(g: Array, points: Array) -> Array:
    """x at scores g (m, P), from points (score, x, first and second derivative) × (point, P)."""
    at = points[0]
    panel = np.zeros(g.shape, dtype=np.intp)
    for inner in at[1:-1]:
        panel += inner <= g
    column = np.arange(g.shape[1])
    (left, y0, d0, s0), (right, y1, d1, s1) = points[:, panel, column], points[:, panel + 1, column]
    h = right - left
    t = (g - left) / h
    u = 1.0 - t
    # Taylor polynomials at both ends, each times what vanishes with two derivatives at the other
    low = y0 + t * (3.0 * y0 + h * d0) + t**2 * (6.0 * y0 + 3.0 * h * d0 + 0.5 * h**2 * s0)
    high = y1 + u * (3.0 * y1 - h * d1) + u**2 * (6.0 * y1 - 3.0 * h * d1 + 0.5 * h**2 * s1)
    return np.asarray(u**3 * low + t**3 * high)


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
        for rows, columns in heavy.pieces(len(x)):
            standard = (x[rows, None, columns] - heavy.means[:, columns]) / heavy.sds[:, columns]
            value[rows, columns] = np.einsum("k,mkp->mp", heavy.weights, scipy.special.ndtr(standard))
        return value

    def quantile(self, p: Array) -> Array:
        """Quantiles at p (m,): (m, P), by Newton steps on the distribution function, kept inside a bracket.

        The bracket is the least and the greatest of the components' own quantiles. Many are read off a table, to some
        1e-10 of a standard deviation, wherever that shows itself fine enough.
        """
        heavy, value = self._heavy(), np.full((len(p), self.means.shape[1]), np.nan)
        if len(p) >= MANY:
            for _, columns in heavy.pieces(1, CHUNK // 16):
                value[:, columns] = _tabled(p, heavy.weights, heavy.means[:, columns], heavy.sds[:, columns])
        left = np.flatnonzero(np.isnan(value).any(axis=0))
        rest = NormalMixture(heavy.weights, heavy.means[:, left], heavy.sds[:, left])
        for rows, columns in rest.pieces(len(p)):
            value[rows, left[columns]] = _quantile(p[rows], rest.weights, rest.means[:, columns], rest.sds[:, columns])
        return value

    def _heavy(self) -> NormalMixture:
        """Without the components that are negligible."""
        keep = self.weights > NEGLIGIBLE * self.weights.max()
        return NormalMixture(self.weights[keep], self.means[keep], self.sds[keep])

    def pieces(self, rows: int, most: int = CHUNK) -> Iterator[tuple[slice, slice]]:
        """Parts (rows, columns) of so many rows of P values, of which each is computed at once."""
        components, columns = self.means.shape
        wide = min(max(1, most // max(1, components)), max(1, columns))
        high = max(1, most // max(1, components * wide))
        for at in range(0, columns, wide):
            yield from ((slice(row, row + high), slice(at, at + wide)) for row in range(0, rows, high))

    def widened(self, sds: Array) -> NormalMixture:
        """The mixture with independent normals of mean 0 and standard deviation sds (K,) added to its components."""
        return NormalMixture(self.weights, self.means, np.hypot(self.sds, sds[:, None]))

    def summary(self) -> DerivedExact:
        """Mean, sd, and 2.5 % and 97.5 % quantiles, each (P,)."""
        mean = self.weights @ self.means
        sd = np.sqrt(self.weights @ (np.square(self.sds) + np.square(self.means - mean)))
        low, high = self.quantile(np.array([0.025, 0.975]))
        return DerivedExact(mean, sd, low, high)

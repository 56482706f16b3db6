"""Coefficients of a linear regression given sigma: one factorisation, after which every sigma costs O(P)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy

from bench import chunks
from bench.errors import NoReference
from bench.types import Array

ROWS = 8192
"""Rows factored at a time at most: the whole design is never copied."""
NARROW, NUMBERS = 40, 8192
"""Up to so many columns, numbers factored at a time: OpenBLAS keeps to one thread, where a second one that waits for
its turn on a busy machine made the same work thirty times as long."""


class CoefficientPrior(NamedTuple):
    """Independent normal priors of the P coefficients, weights then bias; an infinite scale is a flat prior."""

    loc: Array
    scale: Array
    low: Array
    high: Array


class Conditional(NamedTuple):
    """p(coefficients | sigma, y) in coordinates where every sigma costs O(k).

    coefficients = centre + loadings·ν + rest·ξ + sigma·spread·ε, with ξ, ε standard normal and ν_i independent normal
    of mean s_i·c_i/(s_i² + sigma²) and variance sigma²/(s_i² + sigma²). `rest_variance` is the diagonal of rest·restᵀ.
    """

    singular: Array
    rotated: Array
    centre: Array
    loadings: Array
    basis: Array
    maps: Array
    spread: Array
    rss: float
    n_left: int
    log_flat: float

    def log_likelihood(self, sigma: Array) -> Array:
        """log p(y | sigma) with the coefficients integrated out (flat priors of density 1): (K,) → (K,)."""
        variance = np.square(sigma)[:, None]
        total = np.square(self.singular) + variance
        logs = np.log(total).sum(axis=1) + self.n_left * np.log(variance[:, 0])
        squares = (np.square(self.rotated) / total).sum(axis=1) + self.rss / variance[:, 0]
        dims = len(self.singular) + self.n_left
        return np.asarray(-0.5 * (dims * math.log(2.0 * math.pi) + logs + squares) - self.log_flat)

    def moments(self, sigma: Array) -> tuple[Array, Array]:
        """Mean and variance of ν at each sigma: (K,) → (K, k), (K, k)."""
        total = np.square(self.singular) + np.square(sigma)[:, None]
        return self.singular * self.rotated / total, np.square(sigma)[:, None] / total

    @property
    def rest_variance(self) -> Array:
        """Prior variance left in directions the data do not see, per coefficient; 0 when they see all."""
        if self.basis.shape[0] == self.basis.shape[1]:
            return np.zeros(len(self.centre))
        return np.asarray(np.maximum(np.square(self.maps).sum(axis=1) - np.square(self.loadings).sum(axis=1), 0.0))


def triangular_factor(
    x: Array, y: Array, prior: CoefficientPrior, order: npt.NDArray[np.intp], *, has_bias: bool
) -> Array:
    """R of the QR factorisation of [columns in `order`, y − A·loc], normal columns times their prior scale.

    Blocks of rows are factored and stacked (tall-skinny QR). Its last entry is the residual norm, with no subtraction.
    """
    scale = np.where(np.isinf(prior.scale), 1.0, prior.scale)[order]
    stacked: Array = np.empty((0, len(order) + 1))
    step = max(ROWS, 4 * len(order)) if len(order) > NARROW else NUMBERS // (len(order) + 1)
    for at in range(0, len(y), step):
        part = x[at : at + step]
        a = np.hstack([part, np.ones((len(part), 1))]) if has_bias else part
        target = y[at : at + step] - a @ prior.loc
        rows = np.vstack([stacked, np.hstack([a[:, order] * scale, target[:, None]])])
        stacked = np.asarray(np.linalg.qr(rows, mode="r"))
        chunks.forget(x, y)
    return stacked


def condition(x: Array, y: Array, prior: CoefficientPrior, *, has_bias: bool, n_obs: int) -> Conditional:
    """Factor the regression once, O(N·P² + P³); NoReference where flat priors leave the posterior improper.

    x (m, J) and y (m,) are the observations, or rows that stand for all `n_obs` of them.
    """
    flat = np.isinf(prior.scale)
    order = np.concatenate([np.flatnonzero(flat), np.flatnonzero(~flat)])
    f, p = int(flat.sum()), len(order)
    r = triangular_factor(x, y, prior, order, has_bias=has_bias)
    if f > n_obs or not _full_rank(r[:f, :f]):
        raise NoReference("flat priors on coefficients that the data do not determine: the posterior is improper")
    block, target = r[f:, f:p], r[f:, p]
    u, singular, vt = scipy.linalg.svd(block, full_matrices=False)
    rotated = u.T @ target
    left = target - u @ rotated
    inverse = scipy.linalg.solve_triangular(r[:f, :f], np.eye(f)) if f else np.empty((0, 0))
    maps, centre, spread = np.zeros((p, p - f)), prior.loc.copy(), np.zeros((p, f))
    maps[order[f:], np.arange(p - f)] = prior.scale[order[f:]]
    maps[order[:f]] = -inverse @ r[:f, f:p]
    centre[order[:f]] += inverse @ r[:f, p]
    spread[order[:f]] = inverse
    log_flat = float(np.log(np.abs(np.diag(r[:f, :f]))).sum())
    n_left = n_obs - f - len(singular)
    return Conditional(singular, rotated, centre, maps @ vt.T, vt.T, maps, spread, float(left @ left), n_left, log_flat)


def _full_rank(r: Array) -> bool:
    if not r.size:
        return True
    norms = np.sqrt(np.square(r).sum(axis=0))
    if not norms.all():
        return False
    values = scipy.linalg.svdvals(r / norms)
    return bool(values[-1] > len(r) * np.finfo(float).eps * values[0])

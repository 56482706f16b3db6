"""A varying-intercept regression given sigma and tau: Gaussian, and every pair of them costs O(G·P² + P³).

With a integrated out, y = D·β + e, D = [1 x], β = (mu, weights), and the rows of one group share a variance tau². The
group means and the scatter within groups are all that the data say (Searle, Casella & McCulloch 1992, chapter 3).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.errors import NoReference
from bench.types import Array, Dataset
from scenarios.families.common.priors import arguments

CHUNK = 2_000_000
"""Matrix entries held at once: 16 MB of float64."""

_LOG_2PI = math.log(2.0 * math.pi)


class Coefficients(NamedTuple):
    """p(β | sigma, tau, y) less its pilot estimate: mean (K, 1 + P) and covariance (K, 1 + P, 1 + P)."""

    mean: Array
    covariance: Array


class GivenScales:
    """p(mu, a, weights | sigma, tau, y) and p(y | sigma, tau); every method takes sigma (K,) and tau (K,).

    Everything is relative to a pilot estimate of β, so that residual sums of squares lose no digits by subtraction.
    NoReference where flat priors meet features that the rows do not determine.
    """

    def __init__(self, data: Dataset) -> None:
        x, y, group = data.arrays["x"], data.arrays["y"], data.arrays["group"].astype(np.intp)
        self.n, self.n_groups = len(y), data.parameter("a").size
        self.counts = np.bincount(group, minlength=self.n_groups).astype(float)
        design = np.column_stack([np.ones(self.n), x])
        self.group_design = self._group_means(design, group)
        self._set_prior(data, design)
        within = design - self.group_design[group]
        # what rounding leaves of a column that is constant within groups would look like information at a tiny sigma
        within[np.abs(within) <= 8.0 * np.finfo(float).eps * np.abs(design).max(axis=0)] = 0.0
        self.pilot = self._pilot(within, y - self._group_means(y[:, None], group)[group, 0], y)
        residual = y - design @ self.pilot
        self.group_residual = self._group_means(residual[:, None], group)[:, 0]
        residual_within = residual - self.group_residual[group]
        self._scatter = within.T @ within
        self._along = within.T @ residual_within
        self.within_squares = float(residual_within @ residual_within)
        outer = self.group_design[:, :, None] * self.group_design[:, None, :]
        self._outer = outer.reshape(self.n_groups, -1)
        self._cross = self.group_design * self.group_residual[:, None]

    def _group_means(self, rows: Array, group: npt.NDArray[np.intp]) -> Array:
        """Means of rows (n, k) by group, (G, k); 0 for a group without rows."""
        total = np.zeros((self.n_groups, rows.shape[1]))
        np.add.at(total, group, rows)
        return np.asarray(total / np.maximum(self.counts, 1.0)[:, None])

    def _set_prior(self, data: Dataset, design: Array) -> None:
        width = design.shape[1] - 1
        own = [(data.priors["mu"], 1), *([(data.priors["weights"], width)] if width else [])]
        pairs = [(arguments(p) if p.name == "normal" else (0.0, math.inf), size) for p, size in own]
        loc, scale = (np.concatenate([np.broadcast_to(args[i], size) for args, size in pairs]) for i in (0, 1))
        flat = np.isinf(scale)
        if np.linalg.matrix_rank(design[:, flat]) < flat.sum():
            raise NoReference("flat priors on coefficients that the data do not determine: the posterior is improper")
        self._loc, self._precision, self._log_scale = loc, 1.0 / np.square(scale), float(np.log(scale[~flat]).sum())
        self._n_flat = int(flat.sum())

    def _pilot(self, within: Array, y_within: Array, y: Array) -> Array:
        """Weights that fit within groups, then the mean of what is left of the group means."""
        pilot: Array = np.asarray(np.linalg.lstsq(within, y_within, rcond=None)[0], dtype=float)
        pilot[0] = 0.0
        pilot[0] = float(np.mean(y)) - float(self.counts @ self.group_design @ pilot) / self.n
        return pilot

    def _chunks(self, size: int) -> Iterator[slice]:
        each = max(self.n_groups, self.group_design.shape[1] ** 2)
        step = max(1, CHUNK // each)
        return (slice(at, at + step) for at in range(0, size, step))

    def log_likelihood(self, sigma: Array, tau: Array) -> Array:
        """log p(y | sigma, tau), with flat priors of density 1: (K,)."""
        sigma, tau = np.broadcast_arrays(np.asarray(sigma, dtype=float), np.asarray(tau, dtype=float))
        value = np.empty(sigma.shape)
        for part in self._chunks(len(sigma)):
            value[part] = self._log_likelihood(np.square(sigma[part]), np.square(tau[part]))
        return value

    def _log_likelihood(self, sigma2: Array, tau2: Array) -> Array:
        total = sigma2[:, None] + self.counts * tau2[:, None]
        matrix, vector, squares = self._normal_equations(sigma2, total)
        width = matrix.shape[-1]
        bordered = np.empty((len(matrix), width + 1, width + 1))
        bordered[:, :width, :width] = matrix
        bordered[:, width, :width] = bordered[:, :width, width] = vector
        bordered[:, width, width] = squares * (1.0 + 16.0 * np.finfo(float).eps)
        # its last pivot is the sum of squares left: one factorisation gives that and the determinant
        pivots = np.diagonal(np.linalg.cholesky(bordered), axis1=-2, axis2=-1)
        log_det, quadratic = 2.0 * np.log(pivots[:, :width]).sum(axis=-1), np.square(pivots[:, width])
        has_rows = self.counts > 0.0
        log_variance = (self.n - has_rows.sum()) * np.log(sigma2) + np.log(total[:, has_rows]).sum(axis=-1)
        constant = (self.n - self._n_flat) * _LOG_2PI + 2.0 * self._log_scale
        return np.asarray(-0.5 * (constant + log_variance + log_det + quadratic))

    def _normal_equations(self, sigma2: Array, total: Array) -> tuple[Array, Array, Array]:
        """Posterior precision of β, its product with the mean, and the weighted residual sum of squares."""
        share = self.counts / total
        width = self.group_design.shape[1]
        matrix = (share @ self._outer).reshape(-1, width, width) + self._scatter / sigma2[:, None, None]
        matrix += np.diag(self._precision)
        away = self._loc - self.pilot
        vector = share @ self._cross + self._along / sigma2[:, None] + self._precision * away
        squares = share @ np.square(self.group_residual) + self.within_squares / sigma2
        return matrix, vector, squares + float(self._precision @ np.square(away))

    def coefficients(self, sigma: Array, tau: Array) -> Coefficients:
        """β less the pilot."""
        sigma2 = np.square(sigma)
        total = sigma2[:, None] + self.counts * np.square(tau)[:, None]
        matrix, vector, _ = self._normal_equations(sigma2, total)
        covariance: Array = np.asarray(np.linalg.inv(matrix), dtype=float)
        return Coefficients((covariance @ vector[..., None])[..., 0], covariance)

    def intercepts(self, sigma: Array, tau: Array) -> tuple[Array, Array]:
        """Of a given β: the share of a group's own mean in it, and its variance, (K, G) each."""
        total = np.square(sigma)[:, None] + self.counts * np.square(tau)[:, None]
        share = self.counts * np.square(tau)[:, None] / total
        return share, np.square(sigma * tau)[:, None] / total

    def moments(self, sigma: Array, tau: Array) -> tuple[Array, Array]:
        """Means and variances of (mu, a, weights), (K, 1 + G + P) each."""
        each = [self._moments(sigma[part], tau[part]) for part in self._chunks(len(sigma))]
        return np.concatenate([m for m, _ in each]), np.concatenate([v for _, v in each])

    def _moments(self, sigma: Array, tau: Array) -> tuple[Array, Array]:
        beta = self.coefficients(sigma, tau)
        share, own = self.intercepts(sigma, tau)
        # a_g = share·(mean residual) + loading·β + noise, where loading = (1, 0, …) − share·(mean row)
        loading = -share[..., None] * self.group_design
        loading[..., 0] += 1.0
        from_beta = np.einsum("kgp,kp->kg", loading, beta.mean)
        a = self.pilot[0] + share * self.group_residual + from_beta
        a_variance = own + np.einsum("kgp,kgp->kg", loading @ beta.covariance, loading)
        means, variances = beta.mean + self.pilot, np.diagonal(beta.covariance, axis1=-2, axis2=-1)
        return (
            np.concatenate([means[:, :1], a, means[:, 1:]], axis=1),
            np.concatenate([variances[:, :1], a_variance, variances[:, 1:]], axis=1),
        )

    def draw(self, sigma: Array, tau: Array, rng: np.random.Generator) -> dict[str, Array]:
        """One draw of mu, a and weights for every pair, {name: (K, …)}."""
        beta = np.empty((len(sigma), len(self.pilot)))
        for part in self._chunks(len(sigma)):
            mean, covariance = self.coefficients(sigma[part], tau[part])
            noise = rng.standard_normal((*mean.shape, 1))
            beta[part] = mean + (np.linalg.cholesky(covariance) @ noise)[..., 0]
        share, own = self.intercepts(sigma, tau)
        left = self.group_residual - beta @ self.group_design.T
        mu = self.pilot[0] + beta[:, 0]
        a = mu[:, None] + share * left + np.sqrt(own) * rng.standard_normal(share.shape)
        return {"mu": mu, "a": a, "weights": self.pilot[1:] + beta[:, 1:]}

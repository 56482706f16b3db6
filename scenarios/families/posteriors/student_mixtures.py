"""Mixtures of multivariate Student's t: what importance sampling draws from, and how it is fitted to weighted draws."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy

from bench.types import Array


class StudentMixture(NamedTuple):
    """K multivariate t of the same degrees of freedom: masses (K,), locations (K, dim), Cholesky factors (K, dim, dim).

    A factor's product with its transpose is the scale matrix, which is smaller than the covariance.
    """

    masses: Array
    locations: Array
    factors: Array
    df: float

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        """Independent draws, (n, dim)."""
        component = rng.choice(len(self.masses), size=n, p=self.masses)
        normal = rng.standard_normal((n, self.locations.shape[1]))
        stretch = np.sqrt(self.df / rng.chisquare(self.df, n))
        draws = np.empty_like(normal)
        for k, factor in enumerate(self.factors):
            rows = component == k
            draws[rows] = self.locations[k] + (normal[rows] * stretch[rows, None]) @ factor.T
        return draws

    def distances(self, z: Array) -> Array:
        """Squared Mahalanobis distances in scale matrices, (n, dim) → (K, n)."""
        squared = np.empty((len(self.masses), len(z)))
        for k, factor in enumerate(self.factors):
            solved = (z - self.locations[k]) @ np.linalg.inv(factor).T
            squared[k] = np.einsum("nd,nd->n", solved, solved)
        return squared

    def component_log_densities(self, distances: Array) -> Array:
        """log(mass · density) of every component, of `distances` (K, n), same shape."""
        dim, df = self.locations.shape[1], self.df
        constant = math.lgamma(0.5 * (df + dim)) - math.lgamma(0.5 * df) - 0.5 * dim * math.log(df * math.pi)
        logs = np.log(np.diagonal(self.factors, axis1=1, axis2=2)).sum(axis=1)
        with np.errstate(divide="ignore"):  # a component may have lost all its mass
            offsets = np.log(self.masses) + constant - logs
        return np.asarray(offsets[:, None] - 0.5 * (df + dim) * np.log1p(distances / df))

    def log_density(self, z: Array) -> Array:
        """(n, dim) → (n,)."""
        return np.asarray(scipy.special.logsumexp(self.component_log_densities(self.distances(z)), axis=0))

    def fitted(self, z: Array, weights: Array, df: float) -> StudentMixture:
        """One EM step towards the weighted draws z (n, dim), weights (n,) of sum 1, at `df` (arXiv:0710.4242).

        A component that is left with too few draws for a scale matrix of its own keeps the one it has.
        """
        distances = self.distances(z)
        logs = self.component_log_densities(distances)
        shares = np.exp(logs - scipy.special.logsumexp(logs, axis=0)) * weights
        masses = shares.sum(axis=1)
        dim = z.shape[1]
        locations, factors = self.locations.copy(), self.factors.copy()
        for k in range(len(masses)):
            pulled = shares[k] * (df + dim) / (df + distances[k])
            effective = float(masses[k] ** 2 / max(np.square(shares[k]).sum(), 1e-300))
            if masses[k] <= 0.0 or effective < 5 * dim + 20:
                continue
            locations[k] = pulled @ z / pulled.sum()
            centred = z - locations[k]
            scatter = (centred * pulled[:, None]).T @ centred / masses[k]
            factors[k] = np.linalg.cholesky(scatter + 1e-12 * np.diag(np.diag(scatter)))
        floor = 0.01 / len(masses)  # no mode is forgotten because a pilot saw little of it
        masses = np.maximum(masses, floor) / np.maximum(masses, floor).sum()
        return StudentMixture(masses, locations, factors, df)

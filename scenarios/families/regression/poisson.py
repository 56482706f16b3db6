"""Poisson regression: y_i ~ Poisson(exp(x_i·weights + bias + offset_i)); an offset is the logarithm of an exposure."""

from __future__ import annotations

import numpy as np
import scipy

from bench.types import Array, Arrays
from scenarios.families.regression import links
from scenarios.families.regression.likelihood import Likelihood
from scenarios.families.regression.regression import Regression

EXACT = 2.0**53
"""Beyond it float64 has gaps between whole numbers, and a Poisson count is normal to all its digits."""


class Counts(Likelihood):
    """y is a count of mean exp(eta)."""

    DISCRETE = True
    LINKS = ("log",)
    COLUMNS = ("offset",)

    def invalid(self, y: Array) -> str:
        return "" if ((y >= 0.0) & (y == np.rint(y))).all() else "its y must be counts: whole numbers of at least 0"

    def mean(self, eta: Array) -> Array:
        return links.exp(eta)


class Poisson(Counts):
    """Counts whose variance is their mean."""

    def log_prob(self, y: Array, eta: Array, scales: Arrays) -> Array:
        return np.asarray(y * eta - links.exp(eta) - scipy.special.gammaln(y + 1.0))

    def slope(self, y: Array, eta: Array, scales: Arrays) -> Array:
        return y - links.exp(eta)

    def cdf(self, y: Array, eta: Array, scales: Arrays) -> Array:
        at = scipy.special.gammaincc(np.floor(np.maximum(y, 0.0)) + 1.0, links.exp(eta))
        return np.where(y < 0.0, 0.0, at)

    def sample(self, eta: Array, scales: Arrays, rng: np.random.Generator) -> Array:
        return counts(links.exp(eta), rng)


def counts(rate: Array, rng: np.random.Generator) -> Array:
    """Poisson draws at rates of any size, (n,)."""
    few = rng.poisson(np.minimum(rate, EXACT)).astype(float)
    many = np.rint(rate + np.sqrt(rate) * rng.standard_normal(len(rate)))
    return np.where(rate < EXACT, few, many)


FAMILY = Regression("poisson", Poisson())

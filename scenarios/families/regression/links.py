"""Link functions: how the linear predictor of a row becomes a probability or a mean."""

from __future__ import annotations

import math

import numpy as np
import scipy

from bench.types import Array

LARGEST = 300.0
"""A mean is held below e^300 = 2e130, so that log densities, their slopes and the squares of both are finite."""


def exp(eta: Array) -> Array:
    """The inverse of the log link."""
    return np.asarray(np.exp(np.minimum(eta, LARGEST)))


class Logit:
    """A probability F(eta) with F(−eta) = 1 − F(eta): here the logistic distribution function."""

    def cdf(self, eta: Array) -> Array:
        """F."""
        return np.asarray(scipy.special.expit(eta))

    def log_cdf(self, eta: Array) -> Array:
        """log F, however far out."""
        return np.asarray(scipy.special.log_expit(eta))

    def slope(self, eta: Array) -> Array:
        """d log F / d eta."""
        return np.asarray(scipy.special.expit(-eta))


class Probit(Logit):
    """F is the standard normal distribution function."""

    def cdf(self, eta: Array) -> Array:
        return np.asarray(scipy.special.ndtr(eta))

    def log_cdf(self, eta: Array) -> Array:
        return np.asarray(scipy.special.log_ndtr(eta))

    def slope(self, eta: Array) -> Array:
        """The inverse Mills ratio φ/Φ, by the scaled complementary error function that keeps its digits far out."""
        return np.asarray(math.sqrt(2.0 / math.pi) / scipy.special.erfcx(-eta / math.sqrt(2.0)))


BINARY = {"": Logit(), "probit": Probit()}
"""By the name in `Dataset.link`, which leaves the usual link unsaid."""

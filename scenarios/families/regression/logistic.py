"""Logistic regression: y_i ~ Bernoulli(logit⁻¹(x_i·weights + bias)); priors independent, chosen by the scenario."""

from __future__ import annotations

import numpy as np
import scipy

from bench.types import Array, Arrays
from scenarios.families.regression.likelihood import Likelihood
from scenarios.families.regression.regression import Regression


class Bernoulli(Likelihood):
    """y is 0 or 1. No prior may be flat or uniform: under one, separable data have no posterior."""

    DISCRETE = True

    def invalid(self, y: Array) -> str:
        return "" if np.isin(y, (0.0, 1.0)).all() else "its y must be 0 or 1"

    def mean(self, eta: Array) -> Array:
        return np.asarray(scipy.special.expit(eta))

    def log_prob(self, y: Array, eta: Array, scales: Arrays) -> Array:
        return np.asarray(scipy.special.log_expit((2.0 * y - 1.0) * eta))

    def slope(self, y: Array, eta: Array, scales: Arrays) -> Array:
        sign = 2.0 * y - 1.0
        return np.asarray(sign * scipy.special.expit(-eta * sign))

    def cdf(self, y: Array, eta: Array, scales: Arrays) -> Array:
        return np.where(y < 0.0, 0.0, np.where(y < 1.0, scipy.special.expit(-eta), 1.0))

    def sample(self, eta: Array, scales: Arrays, rng: np.random.Generator) -> Array:
        return (rng.random(len(eta)) < self.mean(eta)).astype(float)


FAMILY = Regression("logistic", Bernoulli())

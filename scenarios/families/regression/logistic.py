"""Binary regression: y_i ~ Bernoulli(logit⁻¹ or probit⁻¹(x_i·weights + bias)); priors chosen by the scenario."""

from __future__ import annotations

import numpy as np

from bench.types import Array, Arrays
from scenarios.families.regression import links
from scenarios.families.regression.likelihood import Likelihood
from scenarios.families.regression.regression import Regression


class Bernoulli(Likelihood):
    """y is 0 or 1. No prior may be flat or uniform: under one, separable data have no posterior."""

    DISCRETE = True
    LINKS = ("logit", "probit")
    COLUMNS = ("offset",)

    def __init__(self, link: links.Logit = links.BINARY[""]) -> None:
        self.link = link

    def at(self, link: str, arrays: Arrays) -> Likelihood:
        return Bernoulli(links.BINARY[link])

    def invalid(self, y: Array) -> str:
        return "" if np.isin(y, (0.0, 1.0)).all() else "its y must be 0 or 1"

    def mean(self, eta: Array) -> Array:
        return self.link.cdf(eta)

    def log_prob(self, y: Array, eta: Array, scales: Arrays) -> Array:
        return self.link.log_cdf((2.0 * y - 1.0) * eta)

    def slope(self, y: Array, eta: Array, scales: Arrays) -> Array:
        sign = 2.0 * y - 1.0
        return sign * self.link.slope(sign * eta)

    def cdf(self, y: Array, eta: Array, scales: Arrays) -> Array:
        return np.where(y < 0.0, 0.0, np.where(y < 1.0, self.link.cdf(-eta), 1.0))

    def sample(self, eta: Array, scales: Arrays, rng: np.random.Generator) -> Array:
        return (rng.random(len(eta)) < self.mean(eta)).astype(float)


FAMILY = Regression("logistic", Bernoulli())

"""Binomial regression: y_i ~ Binomial(trials_i, logit⁻¹ or probit⁻¹(x_i·weights + bias + offset_i))."""

from __future__ import annotations

import numpy as np
import scipy

from bench.types import Array, Arrays
from scenarios.families.regression import links
from scenarios.families.regression.likelihood import Likelihood
from scenarios.families.regression.regression import Regression


class Binomial(Likelihood):
    """y of `trials` are successes; rows that say no trials, as new inputs, have one."""

    DISCRETE = True
    LINKS = ("logit", "probit")
    COLUMNS = ("offset", "trials")

    def __init__(self, link: links.Logit = links.BINARY[""], trials: Array | float = 1.0) -> None:
        self.link, self.trials = link, trials

    def at(self, link: str, arrays: Arrays) -> Likelihood:
        return Binomial(links.BINARY[link], arrays.get("trials", 1.0))

    def invalid(self, y: Array) -> str:
        fine = (y >= 0.0) & (y <= self.trials) & (y == np.rint(y))
        return "" if fine.all() else "its y must be whole numbers from 0 to its trials"

    def mean(self, eta: Array) -> Array:
        return np.asarray(self.trials * self.link.cdf(eta))

    def log_prob(self, y: Array, eta: Array, scales: Arrays) -> Array:
        failures = self.trials - y
        ways = -np.log1p(self.trials) - scipy.special.betaln(y + 1.0, failures + 1.0)  # log (trials choose y)
        return np.asarray(ways + y * self.link.log_cdf(eta) + failures * self.link.log_cdf(-eta))

    def slope(self, y: Array, eta: Array, scales: Arrays) -> Array:
        return np.asarray(y * self.link.slope(eta) - (self.trials - y) * self.link.slope(-eta))

    def cdf(self, y: Array, eta: Array, scales: Arrays) -> Array:
        whole = np.clip(np.floor(y), 0.0, self.trials - 1.0)
        inside = scipy.special.betainc(self.trials - whole, whole + 1.0, self.link.cdf(-eta))
        return np.where(y < 0.0, 0.0, np.where(y < self.trials, inside, 1.0))

    def sample(self, eta: Array, scales: Arrays, rng: np.random.Generator) -> Array:
        return rng.binomial(np.asarray(self.trials, dtype=int), self.link.cdf(eta)).astype(float)


FAMILY = Regression("binomial", Binomial())

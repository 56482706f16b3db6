"""Waiting times: y_i ~ Exponential(rate), rate ~ Exponential, whose posterior is a Gamma distribution."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy

from bench.types import Parameter, Simulated
from scenarios.families.common.base import Family


class Waiting(Family):
    name = "waiting"
    KEYS: ClassVar = {"n_obs": "how many times", "rate": "the true rate"}
    PRIORS: ClassVar = {"rate": ("exponential",)}

    def settings(self, table, *, fixed):
        self.known_keys(table, self.KEYS)
        return dict(table)

    def check(self, scenario):
        pass

    def parameters(self, scenario):
        return (Parameter("rate", (), 0.0),)

    def simulate(self, scenario, rng):
        rate, n = scenario.settings["rate"], scenario.settings["n_obs"]
        # what the prior depends on is data to the files of frameworks
        arrays = {"y": rng.exponential(1 / rate, n), "prior_rate": np.array(scenario.priors["rate"].args[0])}
        return Simulated(arrays, {"rate": np.array(rate)}, {})

    def observe(self, data, truth, rng):
        return {"y": rng.exponential(1 / truth["rate"], len(data.arrays["y"]))}

    def log_conditional(self, data, sites):
        rate, y = sites["rate"], data.arrays["y"]
        return len(y) * np.log(rate) - rate * y.sum(), {"rate": len(y) / rate - y.sum()}

    def log_likelihood(self, data, draws, arrays):
        rate = draws["rate"][..., None]
        return np.log(rate) - rate * arrays["y"]

    def observation_cdf(self, data, draws, arrays):
        return -np.expm1(-draws["rate"][..., None] * arrays["y"])

    def predict(self, data, draws, arrays):
        return np.broadcast_to(1 / draws["rate"][..., None], (*draws["rate"].shape, len(arrays["y"])))

    def reference(self, data):
        y, prior = data.arrays["y"], data.priors["rate"].args[0]
        return Posterior(scipy.stats.gamma(1 + len(y), scale=1 / (prior + y.sum())), len(y), prior)


@dataclass
class Posterior:
    gamma: object
    n: int
    prior: float
    method = "conjugate"
    n_effective = np.inf
    log_evidence_se = 0.0

    @property
    def mean(self):
        return {"rate": np.array(self.gamma.mean())}

    @property
    def sd(self):
        return {"rate": np.array(self.gamma.std())}

    @property
    def centred_square_variance(self):
        return {"rate": np.array(self.gamma.var() ** 2 * (2 + float(self.gamma.stats("k"))))}

    @property
    def log_evidence(self):
        shape, scale = 1 + self.n, self.gamma.kwds["scale"]
        return float(np.log(self.prior) + scipy.special.gammaln(shape) + shape * np.log(scale))

    def cdf(self, name, x):
        return self.gamma.cdf(x)

    def quantile(self, name, p):
        return self.gamma.ppf(p)

    def draw(self, n, rng):
        return {"rate": self.gamma.rvs(n, random_state=rng)}


FAMILY = Waiting()

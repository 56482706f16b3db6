"""The exact posterior of normal effects with known errors: normal given tau, and a one-dimensional integral over tau.

The formulas given tau are those of Gelman et al., Bayesian Data Analysis, section 5.4.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import scipy

from bench.protocols import DerivedExact
from bench.types import Array, Dataset
from scenarios.families.posteriors.mixtures import NormalMixture
from scenarios.families.posteriors.normal_given_scales import NormalGivenScales
from scenarios.families.posteriors.sigma_posterior import SigmaPosterior

_LOG_2PI = math.log(2.0 * math.pi)
_HERMITE = np.polynomial.hermite_e.hermegauss(32)
"""Nodes and weights for mu given tau."""
_REACH = 9.0
"""Half the window, in standard deviations, of the trapezoid rule over one effect given mu and tau."""
_STEP = 0.5
"""Its step, in the least standard deviation of an effect: the rule is then exact to rounding for a product of Φs."""
_MOST_UNEQUAL = 20.0
"""Ratio of errors beyond which that step makes the rule costly."""
_LIGHT, _LIGHT_EVENT = 1e-17, 1e-13
"""Nodes lighter than this times the heaviest are left out, of mixtures and of the probabilities of events."""


class GivenTau:
    """p(mu, theta | tau, y) of estimates y (J,) with standard errors (J,); every method takes tau (K,)."""

    def __init__(self, data: Dataset) -> None:
        self._y, self._variances = data.arrays["y"], np.square(data.arrays["errors"])
        prior = data.priors["mu"]
        self._loc, self._scale = prior.args if prior.name == "normal" else (0.0, math.inf)

    @property
    def unequal(self) -> float:
        """Ratio of the largest to the least error, which bounds that of the effects' standard deviations given tau."""
        return math.sqrt(float(self._variances.max() / self._variances.min()))

    def _mu(self, tau: Array) -> tuple[Array, Array, Array, Array]:
        """Precisions of y given mu (K, J), their sum (K,), and mean and variance of mu (K,) from the data alone."""
        precisions = 1.0 / (self._variances + np.square(tau)[:, None])
        total = precisions.sum(axis=1)
        return precisions, total, precisions @ self._y / total, 1.0 / total

    def log_likelihood(self, tau: Array) -> Array:
        """log p(y | tau), mu and theta integrated out (a flat prior of density 1): (K,)."""
        precisions, _, mean, variance = self._mu(tau)
        residual = self._y - mean[:, None]
        value = 0.5 * np.log(precisions).sum(axis=1) - 0.5 * (precisions * residual**2).sum(axis=1)
        value -= 0.5 * len(self._y) * _LOG_2PI
        if math.isinf(self._scale):
            return np.asarray(value + 0.5 * np.log(2.0 * math.pi * variance))
        spread = self._scale**2 + variance
        return np.asarray(value + 0.5 * np.log(variance / spread) - 0.5 * (mean - self._loc) ** 2 / spread)

    def mean_of_mu(self, tau: Array) -> tuple[Array, Array]:
        """Mean and variance of mu, (K,) each."""
        _, total, mean, variance = self._mu(tau)
        if math.isinf(self._scale):
            return mean, variance
        both = total + self._scale**-2
        return (total * mean + self._loc * self._scale**-2) / both, 1.0 / both

    def shrinkage(self, tau: Array) -> tuple[Array, Array]:
        """Of theta given mu: the share of y in its mean, tau²/(s² + tau²), and its variance, (K, J) each."""
        share = np.square(tau)[:, None] / (self._variances + np.square(tau)[:, None])
        return share, self._variances * share

    def moments(self, tau: Array) -> tuple[Array, Array]:
        """Means and variances of (mu, theta), (K, 1 + J) each."""
        mean, variance = self.mean_of_mu(tau)
        share, own = self.shrinkage(tau)
        means = share * self._y + (1.0 - share) * mean[:, None]
        variances = own + np.square(1.0 - share) * variance[:, None]
        return np.column_stack([mean, means]), np.column_stack([variance, variances])

    def largest(self, tau: Array, weights: Array) -> Array:
        """P(theta_j is the largest), averaged over tau with `weights` (K,): (J,)."""
        mean, variance = self.mean_of_mu(tau)
        share, own = self.shrinkage(tau)
        grid = np.linspace(-_REACH, _REACH, math.ceil(2.0 * _REACH * self.unequal / _STEP) + 1)
        density = np.exp(-0.5 * grid**2)
        density /= density.sum()
        nodes, masses = _HERMITE[0], _HERMITE[1] / _HERMITE[1].sum()
        probabilities = np.zeros(len(self._y))
        for k, weight in enumerate(weights):
            mu = mean[k] + math.sqrt(variance[k]) * nodes
            centres, sds = share[k] * self._y + np.outer(mu, 1.0 - share[k]), np.sqrt(own[k])
            # effect j at x beats effect i with probability Φ((x − centre_i)/sd_i): (mu, j, x, i)
            x = centres[:, :, None] + sds[None, :, None] * grid
            standard = (x[..., None] - centres[:, None, None, :]) / sds
            below = np.moveaxis(scipy.special.ndtr(standard), -1, 0)
            below[np.arange(len(sds)), :, np.arange(len(sds))] = 1.0
            probabilities += weight * (masses @ (below.prod(axis=0) @ density))
        return probabilities


class EightSchoolsPosterior(NormalGivenScales):
    """A `Reference` exact to rounding; NoReference where a heavy tail of tau leaves too few schools to tame it."""

    method = "normal given tau, trapezoid rule over tau"

    def __init__(self, data: Dataset) -> None:
        self._given = GivenTau(data)
        scale = float(np.median(data.arrays["errors"]))
        self._tau = SigmaPosterior(self._given.log_likelihood, data.priors["tau"], scale=scale, name="tau")
        self._nodes, weights = _halved(self._tau)
        means, variances = self._given.moments(self._nodes)
        locations = NormalMixture(weights, means, np.sqrt(variances))
        super().__init__(data.parameters, locations, {"tau": self._tau}, self._tau.log_evidence)

    def draw(self, n: int, rng: np.random.Generator) -> dict[str, Array]:
        """Independent draws {name: (n, *shape)}: tau by its inverse distribution function, then mu, then theta."""
        tau = self._tau.quantile(rng.random(n))
        mean, variance = self._given.mean_of_mu(tau)
        mu = mean + np.sqrt(variance) * rng.standard_normal(n)
        share, own = self._given.shrinkage(tau)
        y = self._given._y
        theta = share * y + (1.0 - share) * mu[:, None] + np.sqrt(own) * rng.standard_normal(share.shape)
        return {"mu": mu, "tau": tau, "theta": theta}

    def derived(self) -> dict[str, DerivedExact]:
        """P(theta_j is the largest of all), (J,); absent where the errors are too unequal for the rule."""
        return {} if self._given.unequal > _MOST_UNEQUAL else {"largest": DerivedExact(self._largest)}

    @cached_property
    def _largest(self) -> Array:
        weights = self._locations.weights
        keep = weights > _LIGHT_EVENT * weights.max()
        return self._given.largest(self._nodes[keep], weights[keep] / weights[keep].sum())


def _halved(tau: SigmaPosterior) -> tuple[Array, Array]:
    """Every second node with the weights of that rule, whose evidence is as good, without those that weigh nothing."""
    nodes, weights = tau.nodes[::2], tau.weights[::2]
    keep = weights > _LIGHT * weights.max()
    return nodes[keep], weights[keep] / weights[keep].sum()

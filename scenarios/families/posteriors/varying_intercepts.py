"""The exact posterior of a varying-intercept regression: normal given sigma and tau, and an integral over both."""

from __future__ import annotations

import math

import numpy as np

from bench.protocols import DerivedExact
from bench.types import Array, Dataset
from scenarios.families.posteriors import residuals
from scenarios.families.posteriors.given_scales import GivenScales
from scenarios.families.posteriors.mixtures import NormalMixture
from scenarios.families.posteriors.normal_given_scales import NormalGivenScales
from scenarios.families.posteriors.scale_pair import ScalePair

LIGHT = 1e-15
"""Nodes lighter than this times the heaviest are left out of mixtures: thousands of them weigh 1e-12 in all."""


def rough_scales(conditional: GivenScales) -> tuple[float, float]:
    """Where searches for sigma and tau begin: the spread within groups and that of the groups' means; 1 where 0."""
    spare = max(conditional.n - conditional.n_groups, 1)
    sigma = math.sqrt(conditional.within_squares / spare)
    tau = float(np.std(conditional.group_residual))
    return sigma or tau or 1.0, tau or sigma or 1.0


class VaryingInterceptPosterior(NormalGivenScales):
    """A `Reference` exact to rounding; NoReference where it is improper or lacks fourth moments."""

    method = "normal given sigma and tau, trapezoid rule over both"

    def __init__(self, data: Dataset) -> None:
        self._data, self._given = data, GivenScales(data)
        if residuals.are_small(self._given.within_squares, data.arrays["y"]):
            member = data.arrays["group"][:, None] == np.arange(self._given.n_groups)
            residuals.demand(np.hstack([member, data.arrays["x"]]), data.arrays["y"], data.priors["sigma"])
        prior_pair = (data.priors["sigma"], data.priors["tau"])
        self._pair = ScalePair(self._given.log_likelihood, prior_pair, scales=rough_scales(self._given))
        # a lattice of twice the step has the same evidence, and a quarter of the components
        weights, sigma, tau = self._pair.nodes(LIGHT, every=2)
        means, variances = self._given.moments(sigma, tau)
        sigma_marginal, tau_marginal = self._pair.marginals()
        super().__init__(
            data.parameters,
            NormalMixture(weights, means, np.sqrt(variances)),
            {"tau": tau_marginal, "sigma": sigma_marginal},
            self._pair.log_evidence,
        )

    def draw(self, n: int, rng: np.random.Generator) -> dict[str, Array]:
        """Independent draws {name: (n, *shape)}: sigma and tau, then the coefficients given them."""
        sigma, tau = self._pair.draw(n, rng)
        drawn = self._given.draw(sigma, tau, rng) | {"sigma": sigma, "tau": tau}
        return {name: drawn[name] for name in self._data.names}

    def derived(self) -> dict[str, DerivedExact]:
        """Mean and sd of `icc` = tau²/(tau² + sigma²)."""
        weights, sigma, tau = self._pair.nodes(0.0)
        icc = np.square(tau) / (np.square(tau) + np.square(sigma))
        mean = weights @ icc
        return {"icc": DerivedExact(np.array(mean), np.sqrt(weights @ np.square(icc - mean)))}

"""The exact posterior of two groups: two independent mixtures over sigma, and what is derived from both."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from bench.protocols import DerivedExact
from bench.types import Array, Arrays, Dataset, Parameter
from scenarios.families.posteriors import conjugate, residuals
from scenarios.families.posteriors.mixtures import NEGLIGIBLE, NormalMixture

OWN = {"mu": "bias", "sigma": "sigma"}
"""What the parameters of a pair are called in each group's own regression."""


def regression(data: Dataset, group: int) -> Dataset:
    """One group as a data set of the family `linear`: no features, its mean the bias."""
    y = data.arrays[f"y{group + 1}"]
    sigma = data.parameter("sigma")
    own = (Parameter("weights", (0,)), Parameter("bias"), Parameter("sigma", (), sigma.lower, sigma.upper))
    priors = {"weights": data.priors["mu"], "bias": data.priors["mu"], "sigma": data.priors["sigma"]}
    return Dataset("linear", own, {"x": np.empty((len(y), 0)), "y": y}, priors)


class GroupsPosterior:
    """A `Reference` exact to rounding (see `bench.types.Reference`); each group is a `ConjugatePosterior`."""

    n_effective = math.inf
    log_evidence_se = 0.0
    method = "two independent groups: normal given sigma, trapezoid rule over sigma"
    mean: Arrays
    sd: Arrays
    centred_square_variance: Arrays

    def __init__(self, data: Dataset) -> None:
        for g in range(2):
            y = data.arrays[f"y{g + 1}"]
            of = f"the observations of group {g + 1}"
            residuals.demand(np.ones((len(y), 1)), y, data.priors["sigma"], scale=f"sigma[{g}]", of=of)
        self._groups = [conjugate.posterior(regression(data, g)) for g in range(2)]
        self.mean = self._paired([g.mean for g in self._groups])
        self.sd = self._paired([g.sd for g in self._groups])
        self.centred_square_variance = self._paired([g.centred_square_variance for g in self._groups])
        self.log_evidence = sum(g.log_evidence for g in self._groups)

    @staticmethod
    def _paired(each: list[Arrays]) -> dict[str, Array]:
        """{bias, sigma} of both groups → {mu, sigma}, groups last."""
        return {name: np.stack([e[own] for e in each], axis=-1) for name, own in OWN.items()}

    def cdf(self, name: str, x: Array) -> Array:
        """Marginal distribution function at x (..., 2), same shape."""
        x, own = np.asarray(x, dtype=float), OWN[name]
        return np.stack([g.cdf(own, x[..., i]) for i, g in enumerate(self._groups)], axis=-1)

    def quantile(self, name: str, p: Array) -> Array:
        """Marginal quantiles at p (k,) in (0, 1): (k, 2)."""
        return np.stack([g.quantile(OWN[name], p) for g in self._groups], axis=-1)

    def draw(self, n: int, rng: np.random.Generator) -> dict[str, Array]:
        """Independent draws {name: (n, 2)}."""
        return self._paired([g.draw(n, rng) for g in self._groups])

    def derived(self) -> dict[str, DerivedExact]:
        """Exact mu_diff and effect_size, each a normal mixture over pairs of sigma nodes, and P(mu_diff < 0)."""
        return dict(self._derived)

    @cached_property
    def _derived(self) -> dict[str, DerivedExact]:
        (w1, sigma1, mean1, sd1), (w2, sigma2, mean2, sd2) = (self._nodes(g) for g in range(2))
        weights = np.outer(w1, w2).ravel()
        means = (mean2[None, :] - mean1[:, None]).ravel()
        sds = np.sqrt(np.square(sd2)[None, :] + np.square(sd1)[:, None]).ravel()
        pooled = np.sqrt(0.5 * (np.square(sigma1)[:, None] + np.square(sigma2)[None, :])).ravel()
        difference = NormalMixture(weights, means[:, None], sds[:, None])
        effect = NormalMixture(weights, (means / pooled)[:, None], (sds / pooled)[:, None])
        below = difference.cdf(np.zeros((1, 1))).reshape(())
        exact = {"mu_diff": difference.summary().reshape(()), "effect_size": effect.summary().reshape(())}
        return exact | {"mu_diff<0": DerivedExact(below)}

    def _nodes(self, group: int) -> tuple[Array, Array, Array, Array]:
        """Weights, sigma, and mean and sd of mu given sigma, of the nodes that carry mass; (K,) each."""
        sigma, weights = self._groups[group].sigma_nodes
        location = self._groups[group].combination(np.ones((1, 1)))
        # what is left out moves no moment by more than 1e-16 of itself; the pairs number K₁·K₂
        keep = weights > NEGLIGIBLE * weights.max()
        return weights[keep] / weights[keep].sum(), sigma[keep], location.means[keep, 0], location.sds[keep, 0]

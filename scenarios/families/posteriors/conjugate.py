"""The exact posterior of a linear regression with normal or flat coefficients and any prior on sigma."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import scipy

from bench.errors import NoReference
from bench.protocols import DerivedExact
from bench.types import Array, Dataset, Parameter
from scenarios.families.common.priors import arguments
from scenarios.families.posteriors import residuals
from scenarios.families.posteriors.conditional import CoefficientPrior, Conditional, condition
from scenarios.families.posteriors.design import rows, with_bias
from scenarios.families.posteriors.mixtures import NormalMixture
from scenarios.families.posteriors.normal_given_scales import NormalGivenScales
from scenarios.families.posteriors.sigma_posterior import KnownSigma, SigmaPosterior

TRUNCATED = 1e-10
"""Posterior mass beyond uniform bounds that may be neglected; a b² as small as this is never certified."""


class ConjugatePosterior(NormalGivenScales):
    """A `Reference` exact to rounding: a mixture over sigma of normals (see `bench.protocols.Reference`).

    `log_evidence` counts a flat prior as density 1. `covariance` is that of the joint vector, parameters in order.
    `new` (m, P) are rows of new inputs, a column of ones last where there is a bias.
    """

    def __init__(
        self,
        parameters: tuple[Parameter, ...],
        conditional: Conditional,
        sigma: SigmaPosterior | KnownSigma,
        method: str,
        new: Array | None = None,
    ) -> None:
        self.method, self._conditional, self._sigma, self._new = method, conditional, sigma, new
        nu, nu_variance = conditional.moments(sigma.nodes)
        mean_nu = sigma.weights @ nu
        mean, self._offsets = (
            conditional.centre + conditional.loadings @ mean_nu,
            (nu - mean_nu) @ conditional.loadings.T,
        )
        variances = nu_variance @ np.square(conditional.loadings).T + conditional.rest_variance
        variances += np.square(sigma.nodes)[:, None] * np.square(conditional.spread).sum(axis=1)
        locations = NormalMixture(sigma.weights, mean + self._offsets, np.sqrt(variances))
        scales = {"sigma": sigma} if isinstance(sigma, SigmaPosterior) else {}
        super().__init__(parameters, locations, scales, sigma.log_evidence, (mean, self._offsets))

    def draw(self, n: int, rng: np.random.Generator) -> dict[str, Array]:
        """Independent draws {name: (n, *shape)}: sigma by its inverse distribution function, then the coefficients."""
        conditional = self._conditional
        sigma = self._sigma.quantile(rng.random(n))
        nu, variance = conditional.moments(sigma)
        nu += np.sqrt(variance) * rng.standard_normal(nu.shape)
        values = conditional.centre + nu @ conditional.loadings.T
        values += sigma[:, None] * (rng.standard_normal((n, conditional.spread.shape[1])) @ conditional.spread.T)
        if conditional.basis.shape[0] > conditional.basis.shape[1]:
            unseen = rng.standard_normal((n, conditional.basis.shape[0]))
            unseen -= (unseen @ conditional.basis) @ conditional.basis.T
            values += unseen @ conditional.maps.T
        draws = self._named(values)
        return draws | ({"sigma": sigma} if self._scales else {})

    def mass_beyond(self, low: Array, high: Array) -> float:
        """Sum over coefficients of the posterior mass outside [low, high], each (P,)."""
        means, sds = self._locations.means, self._locations.sds
        outside = scipy.special.ndtr((low - means) / sds) + scipy.special.ndtr((means - high) / sds)
        return float((self._sigma.weights @ outside).sum())

    @property
    def sigma_nodes(self) -> tuple[Array, Array]:
        """Values of sigma, (K,), and their posterior masses, (K,)."""
        return self._sigma.nodes, self._sigma.weights

    def combination(self, rows: Array) -> NormalMixture:
        """Posterior of rows·coefficients: rows (m, P), weights then bias, without the observation's own noise."""
        conditional = self._conditional
        nu, nu_variance = conditional.moments(self._sigma.nodes)
        loadings = rows @ conditional.loadings
        variance = nu_variance @ np.square(loadings).T
        variance += np.square(self._sigma.nodes)[:, None] * np.square(rows @ conditional.spread).sum(axis=1)
        if conditional.basis.shape[0] > conditional.basis.shape[1]:
            variance += np.maximum(
                np.square(rows @ conditional.maps).sum(axis=1) - np.square(loadings).sum(axis=1), 0.0
            )
        return NormalMixture(self._sigma.weights, rows @ conditional.centre + nu @ loadings.T, np.sqrt(variance))

    def derived(self) -> dict[str, DerivedExact]:
        """`prediction`: exact posterior of the expected observation at the data's new inputs, if there are any."""
        return {} if self._new is None else {"prediction": self.combination(self._new).summary()}

    def predictive(self, p: Array) -> dict[str, Array]:
        """Exact quantiles p (k,) of a new observation at the new inputs: {"prediction": (k, m)}, if there are any."""
        if self._new is None:
            return {}
        return {"prediction": self.combination(self._new).widened(self._sigma.nodes).quantile(np.asarray(p))}

    @cached_property
    def covariance(self) -> Array:
        """Posterior covariance of the joint vector, (dim, dim)."""
        conditional, weights, nodes = self._conditional, self._sigma.weights, self._sigma.nodes
        inner = weights @ conditional.moments(nodes)[1]
        locations = (conditional.loadings * inner) @ conditional.loadings.T + (
            self._offsets.T * weights
        ) @ self._offsets
        locations += float(weights @ nodes**2) * conditional.spread @ conditional.spread.T
        if conditional.basis.shape[0] > conditional.basis.shape[1]:
            locations += conditional.maps @ conditional.maps.T - conditional.loadings @ conditional.loadings.T
        if not isinstance(self._sigma, SigmaPosterior):
            return np.asarray(locations)
        deviation = nodes - self._sigma.mean
        cross = (weights * deviation) @ self._offsets
        return np.block([[locations, cross[:, None]], [cross[None, :], np.array([[self._sigma.central_moment(2)]])]])


def posterior(data: Dataset) -> ConjugatePosterior:
    """The exact posterior of a linear data set; NoReference with the reason where priors or residuals allow none."""
    x, y, n, has_bias = data.arrays["x"], data.arrays["y"], len(data.arrays["y"]), "bias" in data.names
    if data.chunk_rows:
        (x, y, n), has_bias = rows(data), False
    prior = _coefficient_prior(data)
    conditional = condition(x, y, prior, has_bias=has_bias, n_obs=n)
    if residuals.are_small(conditional.rss, y):
        residuals.demand(with_bias(x, data) if has_bias else x, y, data.priors["sigma"])
    bounded = np.isfinite(prior.high - prior.low)
    constant = -float(np.log((prior.high - prior.low)[bounded]).sum())

    def log_likelihood(sigma: Array) -> Array:
        return conditional.log_likelihood(sigma) + constant

    sigma: SigmaPosterior | KnownSigma
    if data.priors["sigma"].name == "known":
        sigma, method = KnownSigma(log_likelihood, data.priors["sigma"].args[0]), "closed form"
    else:
        scale = math.sqrt((conditional.rss + float(conditional.rotated @ conditional.rotated)) / n) or 1.0
        sigma = SigmaPosterior(log_likelihood, data.priors["sigma"], scale=scale)
        method = "normal given sigma, trapezoid rule over sigma"
    new = with_bias(data.predict["x"], data) if "x" in data.predict else None
    posterior = ConjugatePosterior(data.parameters, conditional, sigma, method, new)
    if bounded.any():
        beyond = posterior.mass_beyond(prior.low, prior.high)
        if beyond > TRUNCATED:
            raise NoReference(f"a uniform prior cuts {beyond:.1e} of the posterior: no exact reference")
        posterior.method = f"{method}; uniform bounds neglected, {beyond:.1e} of the mass beyond"
    return posterior


def _coefficient_prior(data: Dataset) -> CoefficientPrior:
    rows = []
    row: tuple[Array | float, ...]
    for p in data.parameters:
        if p.name == "sigma":
            continue
        prior = data.priors[p.name]
        match prior.name, arguments(prior):
            case "normal", (loc, scale):
                row = (loc, scale, -math.inf, math.inf)
            case "flat", _:
                row = (0.0, math.inf, -math.inf, math.inf)
            case "uniform", (low, high):
                row = (0.0, math.inf, low, high)
            case _:
                raise NoReference(f"a {prior.name} prior on {p.name} is not conjugate: no exact reference")
        rows.append([np.broadcast_to(value, p.size) for value in row])
    return CoefficientPrior(*np.concatenate(rows, axis=-1))

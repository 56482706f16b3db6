"""The exact posterior of a linear regression with normal or flat coefficients and any prior on sigma."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import scipy

from bench.errors import NoReference
from bench.types import Array, Arrays, Dataset, DerivedExact, Parameter
from scenarios.families.common import transforms
from scenarios.families.posteriors.conditional import CoefficientPrior, Conditional, condition
from scenarios.families.posteriors.mixtures import NormalMixture, normal_mixture_cdf, normal_mixture_quantile
from scenarios.families.posteriors.sigma_posterior import KnownSigma, SigmaPosterior

TRUNCATED = 1e-10
"""Posterior mass beyond uniform bounds that may be neglected; a b² as small as this is never certified."""


class ConjugatePosterior:
    """A `Reference` exact to rounding: a mixture over sigma of normals (see `bench.types.Reference`).

    `log_evidence` counts a flat prior as density 1. `covariance` is that of the joint vector, parameters in order.
    `new` (m, P) are rows of new inputs, a column of ones last where there is a bias.
    """

    n_effective = math.inf
    log_evidence_se = 0.0
    mean: Arrays
    sd: Arrays
    centred_square_variance: Arrays

    def __init__(
        self,
        parameters: tuple[Parameter, ...],
        given: Conditional,
        sigma: SigmaPosterior | KnownSigma,
        method: str,
        new: Array | None = None,
    ) -> None:
        self.method, self._parameters, self._given, self._sigma, self._new = method, parameters, given, sigma, new
        self.log_evidence = sigma.log_evidence
        self._locations = tuple(p for p in parameters if p.name != "sigma")
        weights = sigma.weights
        nu, nu_variance = given.moments(sigma.nodes)
        self._mean_nu = weights @ nu
        offsets = (nu - self._mean_nu) @ given.loadings.T
        variances = nu_variance @ np.square(given.loadings).T + given.rest_variance
        variances += np.square(sigma.nodes)[:, None] * np.square(given.spread).sum(axis=1)
        mean = given.centre + given.loadings @ self._mean_nu
        self._component_means, self._component_sds = mean + offsets, np.sqrt(variances)
        variance = weights @ (variances + offsets**2)
        fourth = weights @ (3.0 * variances**2 + 6.0 * variances * offsets**2 + offsets**4)
        means, sds, squares = self._named(mean), self._named(np.sqrt(variance)), self._named(fourth - variance**2)
        self._offsets = offsets
        if isinstance(sigma, SigmaPosterior):
            second = sigma.central_moment(2)
            means["sigma"], sds["sigma"] = np.array(sigma.mean), np.array(math.sqrt(second))
            squares["sigma"] = np.array(sigma.central_moment(4) - second**2)
        self.mean, self.sd, self.centred_square_variance = means, sds, squares

    def _named(self, vector: Array) -> dict[str, Array]:
        return transforms.unflatten(self._locations, vector)

    def _columns(self, name: str) -> slice:
        at = 0
        for p in self._locations:
            if p.name == name:
                return slice(at, at + p.size)
            at += p.size
        raise KeyError(name)

    def cdf(self, name: str, x: Array) -> Array:
        """Marginal distribution function at x (..., *shape), same shape."""
        x = np.asarray(x, dtype=float)
        if name == "sigma" and isinstance(self._sigma, SigmaPosterior):
            return self._sigma.cdf(x)
        at = self._columns(name)
        flat = x.reshape(-1, at.stop - at.start)
        means, sds = self._component_means[:, at], self._component_sds[:, at]
        return normal_mixture_cdf(flat, self._sigma.weights, means, sds).reshape(x.shape)

    def quantile(self, name: str, p: Array) -> Array:
        """Marginal quantiles at p (k,) in (0, 1): (k, *shape)."""
        p = np.asarray(p, dtype=float)
        if name == "sigma" and isinstance(self._sigma, SigmaPosterior):
            return self._sigma.quantile(p)
        at = self._columns(name)
        shape = {q.name: q.shape for q in self._locations}[name]
        means, sds = self._component_means[:, at], self._component_sds[:, at]
        return normal_mixture_quantile(p, self._sigma.weights, means, sds).reshape(*p.shape, *shape)

    def draw(self, n: int, rng: np.random.Generator) -> dict[str, Array]:
        """Independent draws {name: (n, *shape)}: sigma by its inverse distribution function, then the coefficients."""
        given = self._given
        sigma = self._sigma.quantile(rng.random(n))
        nu, variance = given.moments(sigma)
        nu += np.sqrt(variance) * rng.standard_normal(nu.shape)
        values = given.centre + nu @ given.loadings.T
        values += sigma[:, None] * (rng.standard_normal((n, given.spread.shape[1])) @ given.spread.T)
        if given.basis.shape[0] > given.basis.shape[1]:
            unseen = rng.standard_normal((n, given.basis.shape[0]))
            unseen -= (unseen @ given.basis) @ given.basis.T
            values += unseen @ given.maps.T
        draws = self._named(values)
        return draws | ({"sigma": sigma} if isinstance(self._sigma, SigmaPosterior) else {})

    def mass_beyond(self, low: Array, high: Array) -> float:
        """Sum over coefficients of the posterior mass outside [low, high], each (P,)."""
        means, sds = self._component_means, self._component_sds
        outside = scipy.special.ndtr((low - means) / sds) + scipy.special.ndtr((means - high) / sds)
        return float((self._sigma.weights @ outside).sum())

    @property
    def sigma_nodes(self) -> tuple[Array, Array]:
        """Values of sigma, (K,), and their posterior masses, (K,)."""
        return self._sigma.nodes, self._sigma.weights

    def combination(self, rows: Array) -> NormalMixture:
        """Posterior of rows·coefficients: rows (m, P), weights then bias, without the observation's own noise."""
        given = self._given
        nu, nu_variance = given.moments(self._sigma.nodes)
        loadings = rows @ given.loadings
        variance = nu_variance @ np.square(loadings).T
        variance += np.square(self._sigma.nodes)[:, None] * np.square(rows @ given.spread).sum(axis=1)
        if given.basis.shape[0] > given.basis.shape[1]:
            variance += np.maximum(np.square(rows @ given.maps).sum(axis=1) - np.square(loadings).sum(axis=1), 0.0)
        return NormalMixture(self._sigma.weights, rows @ given.centre + nu @ loadings.T, np.sqrt(variance))

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
        given, weights, nodes = self._given, self._sigma.weights, self._sigma.nodes
        inner = weights @ given.moments(nodes)[1]
        found = (given.loadings * inner) @ given.loadings.T + (self._offsets.T * weights) @ self._offsets
        found += float(weights @ nodes**2) * given.spread @ given.spread.T
        if given.basis.shape[0] > given.basis.shape[1]:
            found += given.maps @ given.maps.T - given.loadings @ given.loadings.T
        if not isinstance(self._sigma, SigmaPosterior):
            return np.asarray(found)
        deviation = nodes - self._sigma.mean
        cross = (weights * deviation) @ self._offsets
        return np.block([[found, cross[:, None]], [cross[None, :], np.array([[self._sigma.central_moment(2)]])]])


def posterior(data: Dataset) -> ConjugatePosterior:
    """The exact posterior of a linear data set; NoReference with the reason where its priors allow none."""
    x, y = data.arrays["x"], data.arrays["y"]
    prior = _coefficient_prior(data)
    given = condition(x, y, prior, has_bias="bias" in data.names)
    bounded = np.isfinite(prior.high - prior.low)
    constant = -float(np.log((prior.high - prior.low)[bounded]).sum())

    def log_likelihood(sigma: Array) -> Array:
        return given.log_likelihood(sigma) + constant

    sigma: SigmaPosterior | KnownSigma
    if data.priors["sigma"].name == "known":
        sigma, method = KnownSigma(log_likelihood, data.priors["sigma"].args[0]), "closed form"
    else:
        scale = math.sqrt((given.rss + float(given.rotated @ given.rotated)) / len(y)) or 1.0
        sigma = SigmaPosterior(log_likelihood, data.priors["sigma"], scale=scale)
        method = "normal given sigma, trapezoid rule over sigma"
    new = data.predict.get("x")
    if new is not None and "bias" in data.names:
        new = np.hstack([new, np.ones((len(new), 1))])
    found = ConjugatePosterior(data.parameters, given, sigma, method, new)
    if bounded.any():
        beyond = found.mass_beyond(prior.low, prior.high)
        if beyond > TRUNCATED:
            raise NoReference(f"a uniform prior cuts {beyond:.1e} of the posterior: no exact reference")
        found.method = f"{method}; uniform bounds neglected, {beyond:.1e} of the mass beyond"
    return found


def _coefficient_prior(data: Dataset) -> CoefficientPrior:
    rows = []
    for p in data.parameters:
        if p.name == "sigma":
            continue
        prior = data.priors[p.name]
        match prior.name, prior.args:
            case "normal", (loc, scale):
                row = (loc, scale, -math.inf, math.inf)
            case "flat", _:
                row = (0.0, math.inf, -math.inf, math.inf)
            case "uniform", (low, high):
                row = (0.0, math.inf, low, high)
            case _:
                raise NoReference(f"a {prior.name} prior on {p.name} is not conjugate: no exact reference")
        rows += [row] * p.size
    return CoefficientPrior(*np.array(rows).T)

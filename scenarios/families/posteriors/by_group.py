"""Coordinates in which effects of groups are nearly independent of their mean and scale, for importance sampling.

The likelihood of group g is taken for a normal one of its effect, of mean b_g and precision h_g. Given mu and tau the
effect would then be normal of mean m_g = p_g·mu + (1 − p_g)·b_g and variance p_g·tau², p_g = 1/(1 + h_g·tau²), and
given tau mu would be normal of precision P = c + Σ h_g·p_g and mean M = (c·m + Σ h_g·p_g·b_g)/P, c and m those of its
prior. What is sampled are the standardised effects and the standardised mu: centred where a group says much,
non-centred where it says little (Papaspiliopoulos, Roberts and Sköld 2007, Statistical Science 22).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from bench.types import Array, Dataset
from scenarios.families.common import priors, transforms

LogDensity = Callable[[Dataset, Array], tuple[Array, Array]]
"""Log density and its gradient, of a family, at unconstrained points."""


class Likelihoods(NamedTuple):
    """The normal ones of the groups: means and precisions, (G,)."""

    mean: Array
    precision: Array


class _Moments(NamedTuple):
    """At points (…, dim), with slopes in log tau where there is a second of a name."""

    tau: Array
    mu: Array
    mu_slope: Array
    root: Array
    """√P, (…, 1)."""
    root_slope: Array
    """Of log √P."""
    share: Array
    effects: Array
    sd: Array


class ByGroup:
    """Points u are unconstrained parameters, mu and the effects standardised; `data` are of a centred model."""

    def __init__(self, data: Dataset, log_density: LogDensity, likelihoods: Likelihoods) -> None:
        self.data, self._log_density, self._likelihoods = replace(data, coordinates=()), log_density, likelihoods
        self._tau, self._effects = data.parameter("tau"), transforms.columns(data.parameters, "a")
        self._prior = 1.0 / float(priors.variance(data.priors["mu"])), float((*data.priors["mu"].args[-2:], 0.0)[0])

    def _moments(self, u: Array) -> _Moments:
        (b, h), (c, m) = self._likelihoods, self._prior
        tau = transforms.to_natural(u[..., 1:2], self._tau.lower, self._tau.upper)
        share = 1.0 / (1.0 + h * np.square(tau))
        of_mean, slope = h * share, -2.0 * h * share * (1.0 - share)
        precision = c + of_mean.sum(axis=-1, keepdims=True)
        mean = (c * m + (of_mean * b).sum(axis=-1, keepdims=True)) / precision
        root_slope = 0.5 * slope.sum(axis=-1, keepdims=True) / precision
        mean_slope = (slope * (b - mean)).sum(axis=-1, keepdims=True) / precision
        root, sd = np.sqrt(precision), np.sqrt(share) * tau
        away = u[..., :1] / root
        mu = mean + away
        effects = share * mu + (1.0 - share) * b + sd * u[..., self._effects]
        return _Moments(tau, mu, mean_slope - away * root_slope, root, root_slope, share, effects, sd)

    def unconstrained(self, u: Array) -> Array:
        """u → unconstrained parameters, both (…, dim)."""
        return self._at(u, self._moments(u))

    def _at(self, u: Array, at: _Moments) -> Array:
        z = u.copy()
        z[..., :1], z[..., self._effects] = at.mu, at.effects
        return z

    def log_density(self, u: Array) -> tuple[Array, Array]:
        """Value (m,) and gradient (m, dim), the Jacobians of both steps included."""
        at = self._moments(u)
        value, gradient = self._log_density(self.data, self._at(u, at))
        along = gradient[..., self._effects].copy()
        of_mu = gradient[..., :1] + (along * at.share).sum(axis=-1, keepdims=True)
        of_log_tau = -2.0 * at.share * (1.0 - at.share) * (at.mu - self._likelihoods.mean)
        of_log_tau += at.sd * at.share * u[..., self._effects]
        slope = (along * of_log_tau + at.share).sum(axis=-1, keepdims=True) + of_mu * at.mu_slope - at.root_slope
        bend = transforms.log_jacobian(u[..., 1:2], self._tau.lower, self._tau.upper)[0]
        gradient[..., :1] = of_mu / at.root
        gradient[..., 1:2] += np.exp(bend) / at.tau * slope
        gradient[..., self._effects] = along * at.sd
        return value + np.log(at.sd).sum(axis=-1) - np.log(at.root[..., 0]), gradient

"""Normal effects around a common mean, effect_j ~ Normal(mu, tau): what the hierarchical families share.

A model samples the effects as they are (centred) or eta_j = (effect_j − mu)/tau (non-centred; Papaspiliopoulos, Roberts
and Sköld 2007, Statistical Science 22). The posterior of the parameters is the same, its geometry is not. The effects
are the one parameter without a prior of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.errors import ScenarioError
from bench.types import Array, Arrays, Dataset, Parameter, Prior, Scenario
from scenarios.families.common import checks, priors, starts
from scenarios.families.common.base import Family

PARAMETRISATIONS = ("non-centred", "centred")
SCALE_PRIORS = ("half_cauchy", "half_normal", "exponential", "uniform", "log_normal")
LOCATION_PRIORS = ("normal", "flat")

_LOG_2PI = math.log(2.0 * math.pi)


class Hierarchy(Family):
    """A family with parameters mu, tau and a block of effects; it gives `log_observations` of draws."""

    NO_INPUTS: str
    """Why a `[predict]` table is refused."""

    def log_observations(self, data: Dataset, draws: Arrays) -> tuple[Array, dict[str, Array]]:
        """Draws {parameter: (m, …)} → log likelihood (m,) and its slope in each parameter it depends on."""
        raise NotImplementedError

    def needed_priors(self, scenario: Scenario) -> Mapping[str, tuple[str, ...]]:
        """The priors that the scenario must give, {parameter: kinds}."""
        return self.priors_of(scenario.settings)

    def scales(self, scenario: Scenario) -> Mapping[str, str]:
        """The parameters that live above 0, and what each is."""
        return {name: "a standard deviation" for name, kinds in self.PRIORS.items() if kinds == SCALE_PRIORS}

    def check(self, scenario: Scenario) -> None:
        if scenario.predict:
            raise ScenarioError("predict", dict(scenario.predict), f"the family {self.name} has {self.NO_INPUTS}")
        self.check_data(scenario)
        needed = self.needed_priors(scenario)
        scales = {name: noun for name, noun in self.scales(scenario).items() if name in needed}
        checks.check_priors(scenario, needed, scales, lambda _: f"parameters with a prior are {', '.join(needed)}")
        starts.check(scenario.start, self.sites(scenario))
        if scenario.design is not None:
            return  # rows of the file are held out
        if held := checks.table("holdout", scenario.holdout, ("n_obs",)):
            self.check_holdout(scenario, held)

    def check_data(self, scenario: Scenario) -> None:
        """Validate the `[data]` table; ScenarioError."""

    def check_holdout(self, scenario: Scenario, held: Mapping[str, Any]) -> None:
        """Validate a `[holdout]` table; ScenarioError."""
        checks.integer("holdout.n_obs", held["n_obs"])

    def coordinates(self, scenario: Scenario) -> tuple[Parameter, ...]:
        """Non-centred: the parameters with eta in the place of the effects; centred: none."""
        if scenario.settings["parametrisation"] == "centred":
            return ()
        return tuple(p if p.name in scenario.priors else Parameter("eta", p.shape) for p in self.parameters(scenario))

    def from_sites(self, data: Dataset, sites: Arrays) -> dict[str, Array]:
        if not data.coordinates:
            return dict(sites)
        mu, tau = (np.asarray(sites[name], dtype=float)[..., None] for name in ("mu", "tau"))
        values = {**sites, effects(data).name: mu + tau * np.asarray(sites["eta"], dtype=float)}
        return {name: values[name] for name in data.names}

    def to_sites(self, data: Dataset, draws: Arrays) -> dict[str, Array]:
        """The inverse of `from_sites`; eta is 0 where tau is, its limit along a ridge of the density."""
        if not data.coordinates:
            return dict(draws)
        mu, tau = (np.asarray(draws[name], dtype=float)[..., None] for name in ("mu", "tau"))
        away = np.asarray(draws[effects(data).name], dtype=float) - mu
        eta = np.divide(away, tau, out=np.zeros_like(away), where=tau != 0.0)
        return {p.name: eta if p.name == "eta" else draws[p.name] for p in data.sites}

    def prior_draw(self, data: Dataset, rng: np.random.Generator) -> dict[str, Array]:
        drawn, block = super().prior_draw(data, rng), effects(data)
        drawn[block.name] = drawn["mu"] + drawn["tau"] * rng.standard_normal(block.shape)
        return {name: drawn[name] for name in data.names}

    def prior_variance(self, data: Dataset) -> dict[str, Array]:
        """Marginal prior variances; that of an effect is Var mu + E tau²."""
        own = {name: priors.variance(prior) for name, prior in data.priors.items()}
        own[effects(data).name] = own["mu"] + _second_moment(data.priors["tau"])
        return {p.name: np.full(p.shape, own[p.name]) for p in data.parameters}

    def log_conditional(self, data: Dataset, sites: Arrays) -> tuple[Array, dict[str, Array]]:
        """The log density of observations and effects."""
        draws, block = self.from_sites(data, sites), effects(data)
        value, slopes = self.log_observations(data, draws)
        mu, tau, along = np.asarray(sites["mu"]), np.asarray(sites["tau"]), slopes.pop(block.name)
        if data.coordinates:
            standard = np.asarray(sites["eta"])
            value = value - 0.5 * block.size * _LOG_2PI
            slopes |= {"mu": along.sum(axis=-1), "tau": (along * standard).sum(axis=-1)}
            slopes["eta"] = along * tau[:, None] - standard
        else:
            standard = (draws[block.name] - mu[:, None]) / tau[:, None]
            value = value - block.size * (np.log(tau) + 0.5 * _LOG_2PI)
            slopes |= {"mu": standard.sum(axis=-1) / tau, "tau": (np.square(standard).sum(axis=-1) - block.size) / tau}
            slopes[block.name] = along - standard / tau[:, None]
        return value - 0.5 * np.square(standard).sum(axis=-1), slopes


def parametrisation(table: Mapping[str, Any]) -> str:
    """The setting of that name, non-centred where it is absent; ScenarioError."""
    value = table.get("parametrisation", PARAMETRISATIONS[0])
    if not isinstance(value, str) or value not in PARAMETRISATIONS:
        raise ScenarioError("parametrisation", value, f"parametrisations are {', '.join(PARAMETRISATIONS)}")
    return value


def effects(data: Dataset) -> Parameter:
    """The parameter whose elements are Normal(mu, tau)."""
    return next(p for p in data.parameters if p.name not in data.priors)


def _second_moment(prior: Prior) -> float:
    match prior.name, tuple(map(float, prior.args)):
        case "half_normal", (scale,):
            return scale**2
        case "exponential", (rate,):
            return 2.0 / rate**2
        case "uniform", (low, high):
            return (low * low + low * high + high * high) / 3.0
        case "log_normal", (loc, scale):
            return math.exp(2.0 * loc + 2.0 * scale**2)
    return math.inf

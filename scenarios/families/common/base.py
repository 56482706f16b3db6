"""What follows for every family, so that one states only its parameters, data, likelihood and reference."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from bench import protocols
from bench.errors import NoReference, ScenarioError
from bench.types import Array, Arrays, Dataset, Parameter, Prior, Scenario
from scenarios.families.common import priors, starts, transforms


class Family(protocols.Family):
    """A family whose model samples the parameters themselves, unless it says otherwise; see `bench.protocols.Family`.

    Beside the members of the protocol that have no default here, a family gives `log_conditional` and `observe`.
    """

    PRIOR_DEFAULTS: Mapping[str, Prior] = {}
    DISCRETE = False
    OPAQUE = False
    OBJECTIVES: ClassVar[tuple[str, ...]] = ("map", "map_unconstrained")

    def log_conditional(self, data: Dataset, sites: Arrays) -> tuple[Array, dict[str, Array]]:
        """Log density of all that has no prior of its own, the observations above all, given the rest.

        Sites on their natural scale {site: (m, *shape)} → (m,) and its slope in each, {site: (m, *shape)}.
        """
        raise NotImplementedError

    def observe(self, data: Dataset, truth: Arrays, rng: np.random.Generator) -> dict[str, Array]:
        """Observations of `truth` {parameter: shape} at the design of `data`, to replace the arrays of those names."""
        raise NotImplementedError

    def known_keys(self, table: Mapping[str, Any], needed: Iterable[str]) -> None:
        """ScenarioError for a key that is none of the family's, and for one of `needed` that is absent."""
        for key in table.keys() - self.KEYS.keys():
            raise ScenarioError(key, table[key], f"keys of the family {self.name} are {', '.join(self.KEYS)}")
        for key in needed:
            if key not in table:
                raise ScenarioError(key, None, "it must be given where data are generated")

    def priors_of(self, settings: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
        return self.PRIORS

    def link_of(self, settings: Mapping[str, Any]) -> str:
        return "identity"

    def discrete(self, data: Dataset) -> bool:
        return self.DISCRETE

    def notes(self, scenario: Scenario) -> tuple[str, ...]:
        flat = [name for name, prior in scenario.priors.items() if prior.name == "flat"]
        if not flat:
            return ()
        return (f"Improper flat prior on {', '.join(flat)}: the log evidence is defined up to a constant.",)

    def coordinates(self, scenario: Scenario) -> tuple[Parameter, ...]:
        return ()

    def sites(self, scenario: Scenario) -> tuple[Parameter, ...]:
        """What the model samples."""
        return self.coordinates(scenario) or self.parameters(scenario)

    def start(self, scenario: Scenario, rng: np.random.Generator) -> Arrays:
        return starts.values(scenario.start, self.sites(scenario), rng)

    def prior_draw(self, data: Dataset, rng: np.random.Generator) -> dict[str, Array]:
        """A truth from the parameters' own priors, {parameter: shape}; NoReference where one is flat."""
        own = [p for p in data.parameters if p.name in data.priors]
        for p in own:
            if data.priors[p.name].name == "flat":
                raise NoReference(f"the prior of {p.name} is flat: there is no drawing a truth from it")
        return {p.name: np.asarray(priors.draw(data.priors[p.name], p.shape, rng)) for p in own}

    def prior_predictive(self, data: Dataset, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, Array]]:
        truth = self.prior_draw(data, rng)
        return truth, {**data.arrays, **self.observe(data, truth, rng)}

    def prior_variance(self, data: Dataset) -> dict[str, Array]:
        return {p.name: np.full(p.shape, priors.variance(data.priors[p.name])) for p in data.parameters}

    def natural_log_density(self, data: Dataset, sites: Arrays) -> tuple[Array, Array]:
        """Log joint density on the sites' natural scale, no Jacobian, and its gradient: (m,), (m, dim)."""
        value, slopes = self.log_conditional(data, sites)
        for p in data.sites:
            if p.name in data.priors:
                prior, at = data.priors[p.name], np.asarray(sites[p.name], dtype=float)
                value = value + priors.log_density(prior, at).reshape(len(value), -1).sum(axis=-1)
                slopes[p.name] = slopes[p.name] + priors.derivative(prior, at)
        return value, transforms.flatten(data.sites, slopes)

    def log_density(self, data: Dataset, z: Array) -> tuple[Array, Array]:
        z = np.asarray(z, dtype=float)
        flat = z.reshape(-1, z.shape[-1])
        value, gradient = self.natural_log_density(data, transforms.constrain(data.sites, flat))
        log_jacobian, slope = transforms.log_jacobians(data.sites, flat)
        value = value + log_jacobian.sum(axis=-1)
        gradient = gradient * np.exp(log_jacobian) + slope
        return value.reshape(z.shape[:-1]), gradient.reshape(z.shape)

    def constrain(self, data: Dataset, z: Array) -> dict[str, Array]:
        return self.from_sites(data, transforms.constrain(data.sites, z))

    def unconstrain(self, data: Dataset, draws: Arrays) -> Array:
        return transforms.unconstrain(data.sites, self.to_sites(data, draws))

    def from_sites(self, data: Dataset, sites: Arrays) -> dict[str, Array]:
        return dict(sites)

    def to_sites(self, data: Dataset, draws: Arrays) -> dict[str, Array]:
        return dict(draws)

    def derived(self, data: Dataset, draws: Arrays) -> dict[str, Array | npt.NDArray[np.bool_]]:
        return {}

    def objective(self, data: Dataset, name: str, params: Arrays) -> float:
        if name not in self.OBJECTIVES:
            raise ValueError(f"unknown objective {name!r}; known: {', '.join(self.OBJECTIVES)}")
        if any(np.any((params[p.name] < p.lower) | (params[p.name] > p.upper)) for p in data.parameters):
            return math.inf
        sites = {k: np.asarray(v, dtype=float)[None] for k, v in self.to_sites(data, params).items()}
        # at a scale of 0 the density may be finite and its slopes are not
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(self.natural_log_density(data, sites)[0][0])
            if name == "map_unconstrained":
                value += float(transforms.log_jacobians(data.sites, transforms.unconstrain(data.sites, sites))[0].sum())
        return math.inf if math.isnan(value) else -value

"""Normal effects around a common mean, effect_j ~ Normal(mu, tau): what the hierarchical families share.

A model samples the effects as they are (centred) or eta_j = (effect_j − mu)/tau (non-centred; Papaspiliopoulos, Roberts
and Sköld 2007, Statistical Science 22). The posterior of the parameters is the same, its geometry is not. The effects
are the one parameter without a prior of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from bench.errors import NoReference, ScenarioError
from bench.types import Array, Arrays, Dataset, Parameter, Prior, Scenario
from scenarios.families.common import priors, transforms

PARAMETRISATIONS = ("non-centred", "centred")
SCALE_PRIORS = ("half_cauchy", "half_normal", "exponential", "uniform", "log_normal")
LOCATION_PRIORS = ("normal", "flat")

Likelihood = Callable[[Dataset, Arrays], tuple[Array, dict[str, Array]]]
"""Draws (m, …) → log likelihood (m,) and its slope in each parameter it depends on, {name: (m, *shape)}."""

_LOG_2PI = math.log(2.0 * math.pi)


def parametrisation(value: object) -> str:
    """The setting of that name; ScenarioError."""
    if not isinstance(value, str) or value not in PARAMETRISATIONS:
        raise ScenarioError("parametrisation", value, f"parametrisations are {', '.join(PARAMETRISATIONS)}")
    return value


def scale(name: str, prior: Prior) -> Parameter:
    """A standard deviation with the bounds of its prior."""
    lower, upper = priors.support(prior)
    return Parameter(name, (), max(lower, 0.0), upper)


def check_priors(scenario: Scenario, wanted: dict[str, tuple[str, ...]]) -> None:
    """Exactly the priors of `wanted` {name: allowed}, scales on positive numbers only; ScenarioError."""
    for name, allowed in wanted.items():
        if name not in scenario.priors:
            raise ScenarioError(f"priors.{name}", None, f"it must be given: one of {', '.join(allowed)}")
    for name, prior in scenario.priors.items():
        if name not in wanted:
            raise ScenarioError(f"priors.{name}", str(prior), f"parameters with a prior are {', '.join(wanted)}")
        if wrong := priors.check_args(prior):
            raise ScenarioError(f"priors.{name}", str(prior), wrong)
        if prior.name == "uniform" and prior.args[0] < 0.0:
            raise ScenarioError(f"priors.{name}", str(prior), f"low must be at least 0: {name} is a standard deviation")


def coordinates(parameters: Sequence[Parameter], scenario: Scenario) -> tuple[Parameter, ...]:
    """Non-centred: the parameters with eta in the place of the effects; centred: none."""
    if scenario.settings["parametrisation"] == "centred":
        return ()
    return tuple(p if p.name in scenario.priors else Parameter("eta", p.shape) for p in parameters)


def effects(data: Dataset) -> Parameter:
    """The parameter whose elements are Normal(mu, tau)."""
    return next(p for p in data.parameters if p.name not in data.priors)


def from_sites(data: Dataset, sites: Arrays) -> dict[str, Array]:
    """{site: (..., *shape)} on their natural scale → draws."""
    if not data.coordinates:
        return dict(sites)
    mu, tau = (np.asarray(sites[name], dtype=float)[..., None] for name in ("mu", "tau"))
    found = {effects(data).name: mu + tau * np.asarray(sites["eta"], dtype=float)}
    return {name: found[name] if name in found else sites[name] for name in data.names}


def to_sites(data: Dataset, draws: Arrays) -> dict[str, Array]:
    """The inverse of `from_sites`; eta is 0 where tau is, its limit along a ridge of the density."""
    if not data.coordinates:
        return dict(draws)
    mu, tau = (np.asarray(draws[name], dtype=float)[..., None] for name in ("mu", "tau"))
    away = np.asarray(draws[effects(data).name], dtype=float) - mu
    eta = np.divide(away, tau, out=np.zeros_like(away), where=tau != 0.0)
    return {p.name: eta if p.name == "eta" else draws[p.name] for p in data.sites}


def constrain(data: Dataset, z: Array) -> dict[str, Array]:
    """Unconstrained vectors (..., dim) → draws {name: (..., *shape)}."""
    return from_sites(data, transforms.constrain(data.sites, z))


def unconstrain(data: Dataset, draws: Arrays) -> Array:
    """Draws {name: (..., *shape)} → unconstrained vectors (..., dim)."""
    return transforms.unconstrain(data.sites, to_sites(data, draws))


def prior_draw(data: Dataset, rng: np.random.Generator) -> dict[str, Array]:
    """A truth from the priors, {parameter: shape}; NoReference where one is improper."""
    drawn: dict[str, Array] = {}
    for p in data.parameters:
        if p.name in data.priors:
            if data.priors[p.name].name == "flat":
                raise NoReference(f"the prior of {p.name} is flat: there is no drawing a truth from it")
            drawn[p.name] = np.asarray(priors.draw(data.priors[p.name], p.shape, rng))
    block = effects(data)
    drawn[block.name] = drawn["mu"] + drawn["tau"] * rng.standard_normal(block.shape)
    return {name: drawn[name] for name in data.names}


def prior_variance(data: Dataset) -> dict[str, Array]:
    """Marginal prior variance of each parameter, of its shape; that of an effect is Var mu + E tau²."""
    own = {name: priors.variance(prior) for name, prior in data.priors.items()}
    own[effects(data).name] = own["mu"] + _second_moment(data.priors["tau"])
    return {p.name: np.full(p.shape, own[p.name]) for p in data.parameters}


def _second_moment(prior: Prior) -> float:
    match prior.name, prior.args:
        case "half_normal", (scale,):
            return scale**2
        case "exponential", (rate,):
            return 2.0 / rate**2
        case "uniform", (low, high):
            return (low * low + low * high + high * high) / 3.0
        case "log_normal", (loc, scale):
            return math.exp(2.0 * loc + 2.0 * scale**2)
    return math.inf


def natural_log_density(data: Dataset, sites: Arrays, likelihood: Likelihood) -> tuple[Array, Array]:
    """Log joint density of the sites on their natural scale and its gradient there: {site: (m, …)} → (m,), (m, dim)."""
    draws, block = from_sites(data, sites), effects(data)
    value, slopes = likelihood(data, draws)
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
    value = value - 0.5 * np.square(standard).sum(axis=-1)
    for p in data.sites:
        if p.name in data.priors:
            prior, at = data.priors[p.name], np.asarray(sites[p.name], dtype=float)
            value = value + priors.log_density(prior, at).reshape(len(value), -1).sum(axis=-1)
            slopes[p.name] = slopes[p.name] + priors.derivative(prior, at)
    return value, transforms.flatten(data.sites, slopes)


def log_density(data: Dataset, z: Array, likelihood: Likelihood) -> tuple[Array, Array]:
    """Log joint density with Jacobian and its gradient in z: (...), (..., dim)."""
    z = np.asarray(z, dtype=float)
    flat = z.reshape(-1, z.shape[-1])
    value, gradient = natural_log_density(data, transforms.constrain(data.sites, flat), likelihood)
    log_jacobian, slope = transforms.log_jacobians(data.sites, flat)
    value = value + log_jacobian.sum(axis=-1)
    gradient = gradient * np.exp(log_jacobian) + slope
    return value.reshape(z.shape[:-1]), gradient.reshape(z.shape)


def objective(data: Dataset, name: str, params: Arrays, likelihood: Likelihood) -> float:
    """`map` or `map_unconstrained` of the sites, in nats, to be minimised; inf outside, ValueError for another name."""
    if name not in ("map", "map_unconstrained"):
        raise ValueError(f"unknown objective {name!r}; known: map, map_unconstrained")
    if any(np.any((params[p.name] < p.lower) | (params[p.name] > p.upper)) for p in data.parameters):
        return math.inf
    sites = {k: np.asarray(v, dtype=float)[None] for k, v in to_sites(data, params).items()}
    # at tau = 0 the density may be finite and its slopes are not
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(natural_log_density(data, sites, likelihood)[0][0])
        if name == "map_unconstrained":
            value += float(transforms.log_jacobians(data.sites, transforms.unconstrain(data.sites, sites))[0].sum())
    return -value

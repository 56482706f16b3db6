"""What follows for every family whose model samples the parameters themselves, each with its own support."""

from __future__ import annotations

import numpy as np

from bench.errors import NoReference
from bench.types import Array, Arrays, Dataset, Parameter, Scenario
from scenarios.families.common import priors, transforms


def coordinates(scenario: Scenario) -> tuple[Parameter, ...]:
    """None of its own."""
    return ()


def constrain(data: Dataset, z: Array) -> dict[str, Array]:
    """Unconstrained vectors (..., dim) → draws {name: (..., *shape)}."""
    return transforms.constrain(data.parameters, z)


def unconstrain(data: Dataset, draws: Arrays) -> Array:
    """Draws {name: (..., *shape)} → unconstrained vectors (..., dim)."""
    return transforms.unconstrain(data.parameters, draws)


def from_sites(data: Dataset, sites: Arrays) -> dict[str, Array]:
    """The sites are the parameters."""
    return dict(sites)


def to_sites(data: Dataset, draws: Arrays) -> dict[str, Array]:
    """The parameters are the sites."""
    return dict(draws)


def prior_draw(data: Dataset, rng: np.random.Generator) -> dict[str, Array]:
    """A truth from independent priors, {parameter: shape}; NoReference where one is improper."""
    for p in data.parameters:
        if data.priors[p.name].name == "flat":
            raise NoReference(f"the prior of {p.name} is flat: there is no drawing a truth from it")
    return {p.name: np.asarray(priors.draw(data.priors[p.name], p.shape, rng)) for p in data.parameters}


def prior_variance(data: Dataset) -> dict[str, Array]:
    """Variance of each parameter's own prior, of its shape; inf where there is none."""
    return {p.name: np.full(p.shape, priors.variance(data.priors[p.name])) for p in data.parameters}

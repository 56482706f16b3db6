"""Data of the family `eight_schools`: literal estimates with their errors, or generated; hold-out and start values."""

from __future__ import annotations

import numpy as np

from bench.types import Array, Parameter, Scenario, Simulated
from scenarios.families.common import starts
from scenarios.families.hierarchy import hierarchy


def _errors(scenario: Scenario) -> Array:
    return np.array(scenario.data["errors"] if scenario.data else scenario.settings["errors"], dtype=float)


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """mu (), tau () with the bounds of its prior, theta (J,)."""
    tau = hierarchy.scale("tau", scenario.priors["tau"])
    return Parameter("mu"), tau, Parameter("theta", _errors(scenario).shape)


def coordinates(scenario: Scenario) -> tuple[Parameter, ...]:
    """mu, tau and eta (J,) of a non-centred model; none of a centred one."""
    return hierarchy.coordinates(parameters(scenario), scenario)


def simulate(scenario: Scenario, rng: np.random.Generator) -> Simulated:
    """One data set: arrays y (J,) and errors (J,); truth; hold-out rows y (n,) with their `school` and error."""
    settings, errors = scenario.settings, _errors(scenario)
    if scenario.data:
        return Simulated({"y": np.array(scenario.data["effects"], dtype=float), "errors": errors}, {}, {})
    theta = settings["mu"] + settings["tau"] * rng.standard_normal(len(errors))
    truth = {"mu": np.array(settings["mu"]), "tau": np.array(settings["tau"]), "theta": theta}
    y = theta + errors * rng.standard_normal(len(errors))
    n = scenario.holdout.get("n_obs", max(100, len(errors)))
    school = np.arange(n) % len(errors)
    held = theta[school] + errors[school] * rng.standard_normal(n)
    holdout = {"school": school.astype(float), "errors": errors[school], "y": held}
    return Simulated({"y": y, "errors": errors}, truth, holdout)


def start(scenario: Scenario, rng: np.random.Generator) -> dict[str, Array]:
    """Start values the scenario prescribes, {site: shape}; what it leaves open is absent."""
    return starts.values(scenario.start, coordinates(scenario) or parameters(scenario), rng)

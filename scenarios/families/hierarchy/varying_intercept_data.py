"""Data of the family `varying_intercept`: groups of rows with features, generated; hold-out and start values."""

from __future__ import annotations

import numpy as np

from bench.types import Array, Arrays, Parameter, Scenario, Simulated
from scenarios.families.common import designs, starts
from scenarios.families.hierarchy import hierarchy
from scenarios.families.regression.regression_data import true_weights


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """mu (), tau (), a (G,), weights (P,) if there are features, sigma (); scales have the bounds of their priors."""
    settings = scenario.settings
    found = [Parameter("mu"), hierarchy.scale("tau", scenario.priors["tau"])]
    found.append(Parameter("a", (len(settings["n_per_group"]),)))
    if settings["n_features"]:
        found.append(Parameter("weights", (settings["n_features"],)))
    return (*found, hierarchy.scale("sigma", scenario.priors["sigma"]))


def coordinates(scenario: Scenario) -> tuple[Parameter, ...]:
    """mu, tau, eta (G,), weights (P,) and sigma of a non-centred model; none of a centred one."""
    return hierarchy.coordinates(parameters(scenario), scenario)


def mean(truth: Arrays, arrays: Arrays) -> Array:
    """a[group] + x·weights of every row: draws (..., *shape) and arrays `group` (n,) and x (n, P) → (..., n)."""
    found = np.asarray(truth["a"], dtype=float)[..., arrays["group"].astype(np.intp)]
    return found + np.asarray(truth["weights"], dtype=float) @ arrays["x"].T if "weights" in truth else found


def simulate(scenario: Scenario, rng: np.random.Generator) -> Simulated:
    """One data set: x (n, P), group (n,) of indices from 0 and y (n,); truth; hold-out rows of the same groups."""
    settings = scenario.settings
    sizes, width = settings["n_per_group"], settings["n_features"]
    truth = {"mu": np.array(settings["mu"]), "tau": np.array(settings["tau"])}
    truth["a"] = truth["mu"] + truth["tau"] * rng.standard_normal(len(sizes))
    if width:
        truth["weights"] = true_weights(settings, width, rng)
    truth["sigma"] = np.array(settings["noise"])
    root = designs.covariance_root(settings["features"], width, rng) if width else None

    def rows(group: Array) -> dict[str, Array]:
        n = len(group)
        x = designs.rows(settings["features"], (n, width), root, rng) if width else np.empty((n, 0))
        made = {"x": x, "group": group.astype(float)}
        return made | {"y": mean(truth, made) + truth["sigma"] * rng.standard_normal(n)}

    arrays = rows(np.repeat(np.arange(len(sizes)), sizes))
    n_new = scenario.holdout.get("n_obs", min(max(100, sum(sizes)), 1000))
    return Simulated(arrays, truth, rows(np.arange(n_new) % len(sizes)))


def start(scenario: Scenario, rng: np.random.Generator) -> dict[str, Array]:
    """Start values the scenario prescribes, {site: shape}; what it leaves open is absent."""
    return starts.values(scenario.start, coordinates(scenario) or parameters(scenario), rng)

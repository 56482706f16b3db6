"""Data of the family `robust`: generated, or read from a file; start values."""

from __future__ import annotations

import numpy as np

from bench.types import Array, Parameter, Scenario, Simulated
from scenarios.families.common import checks, starts
from scenarios.families.regression import regression_data
from scenarios.families.regression.regression_data import Truth


def check_data(scenario: Scenario) -> None:
    """Validate the `[data]` table, a file; ScenarioError."""
    regression_data.check_file(scenario, checks.table("data", scenario.data, ("file",)))


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """weights (J,), bias () unless "none", sigma () and df () unless known."""
    return regression_data.parameters(scenario, positive=("sigma", "df"))


def simulate(scenario: Scenario, rng: np.random.Generator) -> Simulated:
    """One data set: arrays x (n, J) and y (n,); truth; hold-out x, y and x_outside, y_outside (noiseless); new x."""
    noise, df = scenario.settings["noise"], scenario.settings["df"]
    scales = {} if noise is None else {"sigma": np.array(noise), "df": np.array(df)}
    return regression_data.simulate(scenario, rng, scales=scales, observe=_observe, expected=lambda centre: centre)


def _observe(centre: Array, truth: Truth, rng: np.random.Generator) -> Array:
    return np.asarray(centre + truth["sigma"] * rng.standard_t(float(truth["df"]), len(centre)))


def start(scenario: Scenario, rng: np.random.Generator) -> dict[str, Array]:
    """Start values the scenario prescribes, {parameter: shape}; what it leaves open is absent."""
    return starts.values(scenario.start, parameters(scenario), rng)

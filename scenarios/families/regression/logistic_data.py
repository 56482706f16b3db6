"""Data of the family `logistic`: generated, or read from a file; start values."""

from __future__ import annotations

import numpy as np
import scipy

from bench.errors import ScenarioError
from bench.types import Array, Parameter, Scenario, Simulated
from scenarios.families.common import checks, starts
from scenarios.families.regression import regression_data
from scenarios.families.regression.regression_data import Truth


def check_data(scenario: Scenario) -> None:
    """Validate the `[data]` table, a file whose y are 0 or 1; ScenarioError."""
    table = checks.table("data", scenario.data, ("file",))
    regression_data.check_file(scenario, table)
    if not np.isin(regression_data.read_table(table["file"])[1], (0.0, 1.0)).all():
        raise ScenarioError("data.file", table["file"], "its y must be 0 or 1")


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """weights (J,), and bias () unless "none"."""
    return regression_data.parameters(scenario)


def simulate(scenario: Scenario, rng: np.random.Generator) -> Simulated:
    """One data set: arrays x (n, J) and y (n,) of 0 and 1; truth; hold-out x, y and x_outside, y_outside; new x.

    y_outside are probabilities.
    """
    return regression_data.simulate(scenario, rng, scales={}, observe=_observe, expected=_expected)


def _observe(eta: Array, truth: Truth, rng: np.random.Generator) -> Array:
    return (rng.random(len(eta)) < _expected(eta)).astype(float)


def _expected(eta: Array) -> Array:
    return np.asarray(scipy.special.expit(eta))


def start(scenario: Scenario, rng: np.random.Generator) -> dict[str, Array]:
    """Start values the scenario prescribes, {parameter: shape}; what it leaves open is absent."""
    return starts.values(scenario.start, parameters(scenario), rng)

"""What a scenario file of the family `logistic` may say, and the checks that it can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.types import Scenario
from scenarios.families.regression import logistic_data, regression_settings

KEYS: Mapping[str, str] = {**regression_settings.KEYS, "features": regression_settings.FEATURES}

PRIORS: Mapping[str, tuple[str, ...]] = {
    # A flat or uniform prior meets separable data, which have no posterior under it.
    "weights": ("normal", "student_t", "cauchy"),
    "bias": ("normal", "student_t", "cauchy"),
}


def settings(table: Mapping[str, Any], *, fixed: bool) -> dict[str, Any]:
    """Validate the family's keys and fill in defaults; `fixed` (a data file) lets sizes and truth be absent (None)."""
    return regression_settings.settings(table, KEYS, family="logistic", fixed=fixed)


def check(scenario: Scenario) -> None:
    """Validate priors, data, start, hold-out and new inputs against the settings; ScenarioError with a dotted key."""
    if scenario.data:
        logistic_data.check_data(scenario)
    regression_settings.check(scenario, PRIORS, logistic_data.parameters)


def notes(scenario: Scenario) -> tuple[str, ...]:
    """Nothing a reader must know: priors are proper."""
    return ()

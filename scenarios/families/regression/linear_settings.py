"""What a scenario file of the family `linear` may say, and the checks that it can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.types import Scenario
from scenarios.families.regression import linear_data, regression_settings

KEYS: Mapping[str, str] = {
    **regression_settings.KEYS,
    "noise": "true standard deviation of the observations around their mean",
    "features": regression_settings.FEATURES,
}

_LOCATION = ("flat", "normal", "uniform", "student_t", "cauchy")
PRIORS: Mapping[str, tuple[str, ...]] = {
    "weights": _LOCATION,
    "bias": _LOCATION,
    "sigma": ("known", "flat", "uniform", "exponential", "half_normal", "half_cauchy", "log_normal"),
}


def settings(table: Mapping[str, Any], *, fixed: bool) -> dict[str, Any]:
    """Validate the family's keys and fill in defaults; `fixed` (a data table) lets sizes and truth be absent (None)."""
    return regression_settings.settings(table, KEYS, family="linear", fixed=fixed)


def check(scenario: Scenario) -> None:
    """Validate priors, data, start, hold-out and new inputs against the settings; ScenarioError with a dotted key."""
    if scenario.data:
        linear_data.check_data(scenario)
    regression_settings.check(scenario, PRIORS, linear_data.parameters, recipe="recipe" in scenario.data)


def notes(scenario: Scenario) -> tuple[str, ...]:
    """What a reader must know: a known sigma that is not the generator's, and improper priors."""
    found = []
    sigma, noise = scenario.priors["sigma"], scenario.settings.get("noise")
    if sigma.name == "known" and noise is not None and sigma.args[0] != noise:
        found.append(
            f"Misspecified on purpose: the model takes sigma = {sigma.args[0]:g} as known, the data were made with "
            f"{noise:g}. The reference is the exact posterior under the assumed {sigma.args[0]:g}, so its intervals "
            f"are {'too wide' if sigma.args[0] > noise else 'too narrow'} for the truth by a factor of "
            f"{max(sigma.args[0] / noise, noise / sigma.args[0]):g}."
        )
    return (*found, *regression_settings.flat_notes(scenario))

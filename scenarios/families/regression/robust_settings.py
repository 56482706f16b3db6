"""What a scenario file of the family `robust` may say, and the checks that it can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.types import Prior, Scenario
from scenarios.families.common import checks
from scenarios.families.regression import regression_settings, robust_data

KEYS: Mapping[str, str] = {
    **regression_settings.KEYS,
    "noise": "true scale of the observations around their centre; their standard deviation is larger",
    "df": "true degrees of freedom of the Student's t noise, 4 when absent",
    "features": regression_settings.FEATURES,
}

_LOCATION = ("normal", "student_t", "cauchy")
_SCALE = ("uniform", "exponential", "half_normal", "half_cauchy", "log_normal")
PRIORS: Mapping[str, tuple[str, ...]] = {
    "weights": _LOCATION,
    "bias": _LOCATION,
    "sigma": ("known", "flat", *_SCALE),
    "df": ("known", *_SCALE),
}
PRIOR_DEFAULTS: Mapping[str, Prior] = {"df": Prior("known", (4.0,))}
"""What a scenario that says nothing means."""


def settings(table: Mapping[str, Any], *, fixed: bool) -> dict[str, Any]:
    """Validate the family's keys and fill in defaults; `fixed` (a data file) lets sizes and truth be absent (None)."""
    full = regression_settings.settings(table, KEYS, family="robust", fixed=fixed)
    full["df"] = checks.number("df", table.get("df", 4.0), above=0.0)
    return full


def check(scenario: Scenario) -> None:
    """Validate priors, data, start, hold-out and new inputs against the settings; ScenarioError with a dotted key."""
    if scenario.data:
        robust_data.check_data(scenario)
    regression_settings.check(scenario, PRIORS, robust_data.parameters)


def notes(scenario: Scenario) -> tuple[str, ...]:
    """What a reader must know: a known sigma or df that is not the generator's, and improper priors."""
    found = []
    for name, key in (("sigma", "noise"), ("df", "df")):
        prior, true = scenario.priors[name], scenario.settings[key]
        generated = scenario.settings["noise"] is not None
        if generated and prior.name == "known" and prior.args[0] != true:
            found.append(
                f"Misspecified on purpose: the model takes {name} = {prior.args[0]:g} as known, the data were made "
                f"with {true:g}."
            )
    return (*found, *regression_settings.flat_notes(scenario))

"""What a scenario file of the family `two_groups` may say, and the checks that it can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.errors import ScenarioError
from bench.types import Scenario
from scenarios.families.common import checks, priors, starts
from scenarios.families.two_groups import two_groups_data

KEYS: Mapping[str, str] = {
    "n_obs": "observations per group: two whole numbers of at least 2, or one for both; of a data file, its rows",
    "means": "true means of the groups: two numbers",
    "noise": "true standard deviations of the groups: two numbers above 0, or one for both",
}

PRIORS: Mapping[str, tuple[str, ...]] = {
    "mu": ("normal", "flat"),
    "sigma": ("uniform", "exponential", "half_normal", "half_cauchy", "log_normal"),
}


def settings(table: Mapping[str, Any], *, fixed: bool) -> dict[str, Any]:
    """Validate the family's keys and make pairs of them; with `fixed` (a data file) they may be absent (None)."""
    for key in table.keys() - KEYS.keys():
        raise ScenarioError(key, table[key], f"keys of the family two_groups are {', '.join(KEYS)}")
    for key in () if fixed else KEYS:
        if key not in table:
            raise ScenarioError(key, None, "it must be given where data are generated")
    noise = _noise(table["noise"]) if "noise" in table else None
    return {
        "n_obs": _sizes("n_obs", table["n_obs"]) if "n_obs" in table else None,
        "means": checks.numbers("means", table["means"], length=2) if "means" in table else None,
        "noise": noise,
    }


def _sizes(key: str, value: object) -> list[int]:
    listed = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(listed) != 2:
        raise ScenarioError(key, value, "it must be two whole numbers, or one for both groups")
    return [checks.integer(key, v, least=2) for v in listed]


def _noise(value: object) -> list[float]:
    if not isinstance(value, list | tuple):
        return [checks.number("noise", value, above=0.0)] * 2
    for i, v in enumerate(checks.numbers("noise", value, length=2)):
        checks.number(f"noise[{i}]", v, above=0.0)
    return [float(v) for v in value]


def check(scenario: Scenario) -> None:
    """Validate priors, data, start and hold-out against the settings; ScenarioError with a dotted key."""
    if scenario.predict:
        raise ScenarioError("predict", dict(scenario.predict), "the family two_groups has no inputs to predict at")
    if scenario.data:
        two_groups_data.check_data(scenario)
    for name, allowed in PRIORS.items():
        if name not in scenario.priors:
            raise ScenarioError(f"priors.{name}", None, f"it must be given: one of {', '.join(allowed)}")
        if wrong := priors.check_args(scenario.priors[name]):
            raise ScenarioError(f"priors.{name}", str(scenario.priors[name]), wrong)
    sigma = scenario.priors["sigma"]
    if sigma.name == "uniform" and sigma.args[0] < 0.0:
        raise ScenarioError("priors.sigma", str(sigma), "low must be at least 0: sigma is a standard deviation")
    starts.check(scenario.start, two_groups_data.parameters(scenario))
    held = checks.table("holdout", scenario.holdout, ("n_obs",))
    if held and not two_groups_data.truth_known(scenario.settings):
        raise ScenarioError("holdout", held, "without means and noise in the file, no rows can be generated")
    if held:
        _sizes("holdout.n_obs", held["n_obs"])


def notes(scenario: Scenario) -> tuple[str, ...]:
    """What a reader must know: an improper prior on the means."""
    if scenario.priors["mu"].name != "flat":
        return ()
    return ("Improper flat prior on mu: the log evidence is defined up to a constant.",)

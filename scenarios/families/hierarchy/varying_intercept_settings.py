"""What a scenario file of the family `varying_intercept` may say, and the checks that it can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.errors import ScenarioError
from bench.types import Scenario
from scenarios.families.common import checks, designs, starts
from scenarios.families.hierarchy import hierarchy, varying_intercept_data

KEYS: Mapping[str, str] = {
    "n_groups": "number of groups G, at least 2; of a list n_per_group, its length",
    "n_per_group": "observations per group: a whole number, or one per group where they are unbalanced",
    "n_obs": "observations in all, dealt to the groups as evenly as can be; in the place of n_per_group",
    "n_features": "number of features P, 0 when absent; of literal weights, their number",
    "weights": "true weights: P numbers, or a distribution such as {normal = [0, 1]}, drawn afresh per data set",
    "mu": "true mean of the intercepts, which are drawn afresh per data set; 0 when absent",
    "tau": "true standard deviation of the intercepts",
    "noise": "true standard deviation of the observations around their mean",
    "features": '"normal" (the default), "uniform" on (0, 1), or a table: design = "normal", "uniform" (low, high) or '
    '"multivariate_normal" (correlation or condition_number)',
    "parametrisation": 'what the model samples: "non-centred" (the default) eta = (a - mu)/tau, or "centred" a',
}

PRIORS: Mapping[str, tuple[str, ...]] = {
    "mu": hierarchy.LOCATION_PRIORS,
    "tau": hierarchy.SCALE_PRIORS,
    "weights": hierarchy.LOCATION_PRIORS,
    "sigma": hierarchy.SCALE_PRIORS,
}


def settings(table: Mapping[str, Any], *, fixed: bool) -> dict[str, Any]:
    """Validate the family's keys and fill in defaults; a data table is refused."""
    for key in table.keys() - KEYS.keys():
        raise ScenarioError(key, table[key], f"keys of the family varying_intercept are {', '.join(KEYS)}")
    if fixed:
        raise ScenarioError("data", "a table", "the family varying_intercept generates its data; leave it out")
    for key in ("tau", "noise"):
        if key not in table:
            raise ScenarioError(key, None, "it must be given where data are generated")
    sizes = _sizes(table)
    if len(sizes) > checks.WIDTH:
        raise ScenarioError("n_per_group", sizes, f"at most {checks.WIDTH} groups, but it has {len(sizes)}")
    weights, width = _weights(table.get("weights"), table.get("n_features"))
    features = designs.settings(table.get("features", "normal"))
    if features["constant_columns"]:
        allowed = "beside mu the posterior cannot tell a constant column apart"
        raise ScenarioError("features.constant_columns", features["constant_columns"], allowed)
    if sum(sizes) * max(width, 1) > checks.ROWS:
        raise ScenarioError("n_per_group", sizes, f"observations x n_features must be at most {checks.ROWS}")
    if width:
        designs.check_width(features, width)
    return {
        "n_per_group": sizes,
        "weights": weights,
        "n_features": width,
        "mu": checks.number("mu", table.get("mu", 0.0)),
        "tau": checks.number("tau", table["tau"], above=0.0),
        "noise": checks.number("noise", table["noise"], above=0.0),
        "features": features,
        "parametrisation": hierarchy.parametrisation(table.get("parametrisation", hierarchy.PARAMETRISATIONS[0])),
    }


def _sizes(table: Mapping[str, Any]) -> list[int]:
    """Observations of every group."""
    if ("n_obs" in table) == ("n_per_group" in table):
        raise ScenarioError("n_per_group", table.get("n_per_group"), "give either n_per_group or n_obs")
    groups = checks.integer("n_groups", table["n_groups"], least=2, most=checks.WIDTH) if "n_groups" in table else None
    per_group = table.get("n_per_group")
    if isinstance(per_group, list | tuple):
        if groups not in (None, len(per_group)) or len(per_group) < 2:
            raise ScenarioError("n_per_group", per_group, "a list needs a number for each of n_groups, 2 or more")
        return [checks.integer(f"n_per_group[{g}]", n) for g, n in enumerate(per_group)]
    if groups is None:
        raise ScenarioError("n_groups", None, "it must be given unless n_per_group is a list")
    if per_group is not None:
        return [checks.integer("n_per_group", per_group)] * groups
    n = checks.integer("n_obs", table["n_obs"], least=groups)
    return [n // groups + (g < n % groups) for g in range(groups)]


def _weights(value: object, n_features: object) -> tuple[list[float] | dict[str, Any], int]:
    width = None if n_features is None else checks.integer("n_features", n_features, least=0, most=checks.WIDTH)
    if value is None or value == []:
        if width:
            raise ScenarioError("weights", value, f"{width} features need weights")
        return [], 0
    if isinstance(value, Mapping):
        if width is None:
            raise ScenarioError("n_features", None, "weights made by a rule need n_features")
        rule = checks.prior_rule("weights", value)
        return {rule.name: list(rule.args)}, width
    listed = checks.numbers("weights", value)
    if len(listed) > checks.WIDTH:
        raise ScenarioError("weights", value, f"it has {len(listed)} numbers, at most {checks.WIDTH} are allowed")
    if width not in (None, len(listed)):
        raise ScenarioError("n_features", n_features, f"weights lists {len(listed)} values; leave n_features out")
    return listed, len(listed)


def check(scenario: Scenario) -> None:
    """Validate priors, start and hold-out against the settings; ScenarioError with a dotted key."""
    if scenario.predict:
        raise ScenarioError("predict", dict(scenario.predict), "the family varying_intercept has no new inputs")
    wanted = {name: PRIORS[name] for name in PRIORS if name != "weights" or scenario.settings["n_features"]}
    hierarchy.check_priors(scenario, wanted)
    sites = varying_intercept_data.coordinates(scenario) or varying_intercept_data.parameters(scenario)
    starts.check(scenario.start, sites)
    held = checks.table("holdout", scenario.holdout, ("n_obs",))
    if held:
        most = checks.ROWS // max(scenario.settings["n_features"], 1)
        checks.integer("holdout.n_obs", held["n_obs"], most=most)


def notes(scenario: Scenario) -> tuple[str, ...]:
    """What a reader must know: improper priors."""
    flat = [name for name, prior in scenario.priors.items() if prior.name == "flat"]
    if not flat:
        return ()
    return (f"Improper flat prior on {', '.join(flat)}: the log evidence is defined up to a constant.",)

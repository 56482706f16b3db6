"""What a scenario file of the family `linear` may say, and the checks that it can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.errors import ScenarioError
from bench.types import Scenario
from scenarios.families import checks, designs, linear_data, priors, starts

KEYS: Mapping[str, str] = {
    "n_obs": "number of observations N; of a data file, its rows",
    "n_features": "number of features J, constant columns included; of literal weights or a data file, their number",
    "weights": "true weights: J numbers, or one of {constant = c}, {linspace = [a, b]}, {sparse = [k, value]} (the "
    "first k are the value, the others 0), or a distribution such as {normal = [0, 1]}, drawn afresh per data set",
    "bias": 'true bias, 0 when absent; "none" takes it out of the truth and of the model',
    "noise": "true standard deviation of the observations around their mean",
    "features": '"normal" (the default), "uniform" on (0, 1), or a table: design = "normal", "uniform" (low, high) or '
    '"multivariate_normal" (correlation or condition_number), and constant_columns = [values]',
}

_LOCATION = ("flat", "normal", "uniform", "student_t", "cauchy")
PRIORS: Mapping[str, tuple[str, ...]] = {
    "weights": _LOCATION,
    "bias": _LOCATION,
    "sigma": ("known", "flat", "uniform", "exponential", "half_normal", "half_cauchy", "log_normal"),
}

LARGEST = 10**9
"""Numbers a design may hold: 8 GB of float64."""

WEIGHT_RULES = ("constant", "linspace", "sparse")


def settings(table: Mapping[str, Any], *, fixed: bool) -> dict[str, Any]:
    """Validate the family's keys and fill in defaults; `fixed` (a data table) lets sizes and truth be absent (None)."""
    for key in table.keys() - KEYS.keys():
        raise ScenarioError(key, table[key], f"keys of the family linear are {', '.join(KEYS)}")
    for key in () if fixed else ("n_obs", "weights", "noise"):
        if key not in table:
            raise ScenarioError(key, None, "it must be given where data are generated")
    weights = _weights(table["weights"]) if "weights" in table else None
    full: dict[str, Any] = {
        "n_obs": checks.integer("n_obs", table["n_obs"]) if "n_obs" in table else None,
        "n_features": _n_features(table.get("n_features"), weights, fixed=fixed),
        "weights": weights,
        "bias": _bias(table["bias"]) if "bias" in table else None if fixed and weights is None else 0.0,
        "noise": checks.number("noise", table["noise"], above=0.0) if "noise" in table else None,
        "features": designs.settings(table.get("features", "normal")),
    }
    if full["features"]["constant_columns"] and full["bias"] != "none":
        allowed = 'a constant column needs bias = "none": beside a bias the posterior cannot tell the two apart'
        raise ScenarioError("features.constant_columns", full["features"]["constant_columns"], allowed)
    if full["n_features"] is not None:
        designs.check_width(full["features"], full["n_features"])
        if isinstance(weights, dict) and weights.get("sparse", [0])[0] > full["n_features"]:
            raise ScenarioError("weights.sparse", weights["sparse"], f"k must be at most {full['n_features']}")
        if (full["n_obs"] or 0) * full["n_features"] > LARGEST:
            raise ScenarioError("n_obs", full["n_obs"], f"n_obs x n_features must be at most {LARGEST}")
    return full


def _bias(value: object) -> float | str:
    if isinstance(value, str):
        if value != "none":
            raise ScenarioError("bias", value, 'it must be a number or "none"')
        return value
    return checks.number("bias", value)


def _weights(value: object) -> list[float] | dict[str, Any]:
    if not isinstance(value, Mapping):
        return checks.numbers("weights", value)
    if not set(value) & set(WEIGHT_RULES):
        prior = checks.prior_rule("weights", value)
        return {prior.name: list(prior.args)}
    if len(value) != 1:
        raise ScenarioError("weights", dict(value), "it must be one rule")
    ((name, args),) = value.items()
    if name == "constant":
        return {name: checks.number("weights.constant", args)}
    pair = checks.numbers(f"weights.{name}", args, length=2)
    if name == "sparse":
        return {name: [checks.integer("weights.sparse[0]", args[0], least=0), pair[1]]}
    return {name: pair}


def _n_features(value: object, weights: list[float] | dict[str, Any] | None, *, fixed: bool) -> int | None:
    given = None if value is None else checks.integer("n_features", value)
    if isinstance(weights, list):
        if given not in (None, len(weights)):
            raise ScenarioError("n_features", value, f"weights lists {len(weights)} values; leave n_features out")
        return len(weights)
    if given is None and not fixed:
        raise ScenarioError("n_features", None, "weights made by a rule need n_features")
    return given


def check(scenario: Scenario) -> None:
    """Validate priors, data, start, hold-out and new inputs against the settings; ScenarioError with a dotted key."""
    if scenario.data:
        linear_data.check_data(scenario)
    _check_priors(scenario)
    _check_start(scenario)
    _check_holdout(scenario)
    _check_predict(scenario)


def _check_priors(scenario: Scenario) -> None:
    needed = ["weights", "sigma"] if scenario.settings["bias"] == "none" else ["weights", "bias", "sigma"]
    for name in needed:
        if name not in scenario.priors:
            raise ScenarioError(f"priors.{name}", None, f"it must be given: one of {', '.join(PRIORS[name])}")
    for name, prior in scenario.priors.items():
        if name not in needed:
            reason = 'bias = "none" leaves no bias to put a prior on' if name == "bias" else "no such parameter"
            raise ScenarioError(f"priors.{name}", str(prior), f"{reason}; parameters are {', '.join(needed)}")
        if prior.name not in PRIORS[name]:
            raise ScenarioError(f"priors.{name}", str(prior), f"priors of {name} are {', '.join(PRIORS[name])}")
        if wrong := priors.check_args(prior):
            raise ScenarioError(f"priors.{name}", str(prior), wrong)
    sigma = scenario.priors["sigma"]
    if sigma.name == "known" and sigma.args[0] <= 0.0:
        raise ScenarioError("priors.sigma", str(sigma), "a known sigma must be greater than 0")
    if sigma.name == "uniform" and sigma.args[0] < 0.0:
        raise ScenarioError("priors.sigma", str(sigma), "low must be at least 0: sigma is a standard deviation")


def _check_start(scenario: Scenario) -> None:
    parameters = linear_data.parameters(scenario)
    for name in [p.name for p in parameters if p.name != "sigma" and "recipe" in scenario.data]:
        if name in scenario.start:
            allowed = "the data recipe brings its own start of weights and bias"
            raise ScenarioError(f"start.{name}", scenario.start[name], allowed)
    starts.check(scenario.start, parameters)


def _check_predict(scenario: Scenario) -> None:
    table = checks.table("predict", scenario.predict, ("x",))
    if not table:
        return
    rows, width = table["x"], linear_data.sizes(scenario)[1]
    if not isinstance(rows, list | tuple) or not rows:
        raise ScenarioError("predict.x", rows, f"it must be a list of rows of {width} numbers")
    for i, row in enumerate(rows):
        checks.numbers(f"predict.x[{i}]", row, length=width)


def _check_holdout(scenario: Scenario) -> None:
    table = checks.table("holdout", scenario.holdout, ("n_obs", "outside"))
    if table and not linear_data.truth_known(scenario.settings):
        raise ScenarioError("holdout", table, "without weights and noise in the file, no rows can be generated")
    if "n_obs" in table:
        checks.integer("holdout.n_obs", table["n_obs"])
    if "outside" in table:
        outside = checks.table("holdout.outside", table["outside"], ("low", "high", "n_obs"))
        for key in {"low", "high", "n_obs"} - outside.keys():
            raise ScenarioError(f"holdout.outside.{key}", None, "it must be given: low, high and n_obs")
        low = checks.number("holdout.outside.low", outside["low"])
        checks.number("holdout.outside.high", outside["high"], above=low)
        checks.integer("holdout.outside.n_obs", outside["n_obs"])


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
    flat = [name for name, prior in scenario.priors.items() if prior.name == "flat"]
    if flat:
        found.append(f"Improper flat prior on {', '.join(flat)}: the log evidence is defined up to a constant.")
    return tuple(found)

"""What scenario files of every regression may say, and the checks that it can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.errors import ScenarioError
from bench.types import Scenario
from scenarios.families.common import checks, designs
from scenarios.families.regression import columns
from scenarios.families.regression.generator import WEIGHT_RULES, sizes, truth_known
from scenarios.families.regression.likelihood import Likelihood

COMMON_KEYS: Mapping[str, str] = {
    "n_obs": "number of observations N; of a data file, its rows",
    "n_features": "number of features J, constant columns included; of literal weights or a data file, their number",
    "weights": "true weights: J numbers, or one of {constant = c}, {linspace = [a, b]}, {sparse = [k, value]} (the "
    "first k are the value, the others 0), or a distribution such as {normal = [0, 1]}, drawn afresh per data set",
    "bias": 'true bias, 0 when absent; "none" takes it out of the truth and of the model',
}
FEATURES = (
    '"normal" (the default), "uniform" on (0, 1), or a table: design = "normal", "uniform" (low, high) or '
    '"multivariate_normal" (correlation or condition_number), and constant_columns = [values]'
)


def keys(law: Likelihood) -> dict[str, str]:
    """What a scenario file may say beside its tables, {key: help}."""
    return {**COMMON_KEYS, **keys_of_law(law), "features": FEATURES}


def keys_of_law(law: Likelihood) -> dict[str, str]:
    """What of it is about observations alone, {key: help}."""
    scales = {scale.key: scale.meaning for scale in law.SCALES}
    beside = {name: columns.KEYS[name] for name in law.COLUMNS}
    link = {"link": f"link function: {', '.join(law.LINKS)}; the first when absent"} if law.LINKS else {}
    return {**scales, **beside, **link}


def required(law: Likelihood) -> tuple[str, ...]:
    """The keys that generated data cannot do without."""
    return ("n_obs", "weights", *required_of_law(law))


def required_of_law(law: Likelihood) -> tuple[str, ...]:
    """Those of them that are about observations alone."""
    return (*(scale.key for scale in law.SCALES if scale.default is None), *({"trials"} & set(law.COLUMNS)))


def settings(table: Mapping[str, Any], law: Likelihood, *, fixed: bool) -> dict[str, Any]:
    """The settings validated, with defaults; `fixed` (a data table) lets some be None. ScenarioError."""
    weights = _weights(table["weights"]) if "weights" in table else None
    full: dict[str, Any] = {
        "n_obs": checks.integer("n_obs", table["n_obs"]) if "n_obs" in table else None,
        "n_features": _n_features(table.get("n_features"), weights, fixed=fixed),
        "weights": weights,
        "bias": _bias(table["bias"]) if "bias" in table else None if fixed and weights is None else 0.0,
        "features": designs.settings(table.get("features", "normal")),
    }
    full |= of_law(table, law)
    if full["features"]["constant_columns"] and full["bias"] != "none":
        allowed = 'a constant column needs bias = "none": beside a bias the posterior cannot tell the two apart'
        raise ScenarioError("features.constant_columns", full["features"]["constant_columns"], allowed)
    if full["n_features"] is not None:
        designs.check_width(full["features"], full["n_features"])
        if isinstance(weights, dict) and weights.get("sparse", [0])[0] > full["n_features"]:
            raise ScenarioError("weights.sparse", weights["sparse"], f"k must be at most {full['n_features']}")
        if (full["n_obs"] or 0) * full["n_features"] > checks.ROWS:
            raise ScenarioError("n_obs", full["n_obs"], f"n_obs x n_features must be at most {checks.ROWS}")
    return full


def of_law(table: Mapping[str, Any], law: Likelihood) -> dict[str, Any]:
    """The settings about observations alone, None where the table leaves one open; ScenarioError."""
    full: dict[str, Any] = {}
    for scale in law.SCALES:
        value = table.get(scale.key, scale.default)
        full[scale.key] = None if value is None else checks.number(scale.key, value, above=0.0)
    full |= columns.settings(table, law)
    if law.LINKS:
        full["link"] = _link(table.get("link", law.LINKS[0]), law.LINKS)
    return full


def _bias(value: object) -> float | str:
    if isinstance(value, str):
        if value != "none":
            raise ScenarioError("bias", value, 'it must be a number or "none"')
        return value
    return checks.number("bias", value)


def _link(value: object, known: tuple[str, ...]) -> str:
    """The name of the link; "" for the usual one, so that saying it changes no data set's digest."""
    if value not in known:
        raise ScenarioError("link", value, f"it must be one of {', '.join(known)}")
    return "" if value == known[0] else str(value)


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
    width = None if value is None else checks.integer("n_features", value, most=checks.WIDTH)
    if isinstance(weights, list):
        if len(weights) > checks.WIDTH:
            raise ScenarioError(
                "weights", weights, f"it has {len(weights)} numbers, at most {checks.WIDTH} are allowed"
            )
        if width not in (None, len(weights)):
            raise ScenarioError("n_features", value, f"weights lists {len(weights)} values; leave n_features out")
        return len(weights)
    if width is None and not fixed:
        raise ScenarioError("n_features", None, "weights made by a rule need n_features")
    return width


def check_priors(scenario: Scenario, allowed: Mapping[str, tuple[str, ...]], law: Likelihood) -> None:
    """Every parameter has a prior of its kind, and nothing else has one; scales are positive. ScenarioError."""
    needed = {name: kinds for name, kinds in allowed.items() if name != "bias" or scenario.settings["bias"] != "none"}

    def stranger(name: str) -> str:
        reason = 'bias = "none" leaves no bias to put a prior on' if name == "bias" else "no such parameter"
        return f"{reason}; parameters are {', '.join(needed)}"

    checks.check_priors(scenario, needed, {scale.name: scale.noun for scale in law.SCALES}, stranger)


def check_predict(scenario: Scenario) -> None:
    """Validate the `[predict]` table; ScenarioError."""
    table = checks.table("predict", scenario.predict, ("x",))
    if not table:
        return
    rows, width = table["x"], sizes(scenario)[1]
    if not isinstance(rows, list | tuple) or not rows:
        raise ScenarioError("predict.x", rows, f"it must be a list of rows of {width} numbers")
    for i, row in enumerate(rows):
        checks.numbers(f"predict.x[{i}]", row, length=width)


def check_holdout(scenario: Scenario, law: Likelihood) -> None:
    """Validate the `[holdout]` table; ScenarioError."""
    if scenario.design is not None:
        return  # rows of the file are held out
    table = checks.table("holdout", scenario.holdout, ("n_obs", "outside"))
    if table and not truth_known(scenario.settings):
        needed = " and ".join(("weights", *(scale.key for scale in law.SCALES if scale.default is None)))
        raise ScenarioError("holdout", table, f"without {needed} in the file, no rows can be generated")
    most = checks.ROWS // sizes(scenario)[1]
    if "n_obs" in table:
        checks.integer("holdout.n_obs", table["n_obs"], most=most)
    if "outside" in table:
        outside = checks.table("holdout.outside", table["outside"], ("low", "high", "n_obs"))
        for key in {"low", "high", "n_obs"} - outside.keys():
            raise ScenarioError(f"holdout.outside.{key}", None, "it must be given: low, high and n_obs")
        low = checks.number("holdout.outside.low", outside["low"])
        checks.number("holdout.outside.high", outside["high"], above=low)
        checks.integer("holdout.outside.n_obs", outside["n_obs"], most=most)

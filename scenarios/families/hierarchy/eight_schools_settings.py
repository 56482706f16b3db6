"""What a scenario file of the family `eight_schools` may say, and the checks that it can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.errors import ScenarioError
from bench.types import Scenario
from scenarios.families.common import checks, starts
from scenarios.families.hierarchy import eight_schools_data, hierarchy

KEYS: Mapping[str, str] = {
    "errors": "known standard errors of the schools' estimates: numbers above 0, or one for all of n_schools",
    "n_schools": "number of schools J, at least 2; of a list of errors or a data table, their number",
    "mu": "true mean of the effects, which are drawn afresh per data set",
    "tau": "true standard deviation of the effects",
    "parametrisation": 'what the model samples: "non-centred" (the default) mu, tau and eta = (theta - mu)/tau, or '
    '"centred" mu, tau and theta',
}

PRIORS: Mapping[str, tuple[str, ...]] = {"mu": hierarchy.LOCATION_PRIORS, "tau": hierarchy.SCALE_PRIORS}


def settings(table: Mapping[str, Any], *, fixed: bool) -> dict[str, Any]:
    """Validate the family's keys and fill in defaults; with `fixed` (a data table) all but the parametrisation go."""
    for key in table.keys() - KEYS.keys():
        raise ScenarioError(key, table[key], f"keys of the family eight_schools are {', '.join(KEYS)}")
    made: dict[str, Any] = {"errors": None, "n_schools": None, "mu": None, "tau": None}
    made["parametrisation"] = hierarchy.parametrisation(table.get("parametrisation", hierarchy.PARAMETRISATIONS[0]))
    if fixed:
        for key in table.keys() & {"errors", "n_schools", "mu", "tau"}:
            raise ScenarioError(key, table[key], "the data table gives effects and errors, of which no truth is known")
        return made
    for key in ("errors", "mu", "tau"):
        if key not in table:
            raise ScenarioError(key, None, "it must be given where data are generated")
    made["errors"] = errors("errors", table["errors"], table.get("n_schools"))
    made["n_schools"] = len(made["errors"])
    return made | {"mu": checks.number("mu", table["mu"]), "tau": checks.number("tau", table["tau"], above=0.0)}


def errors(key: str, value: object, n_schools: object = None) -> list[float]:
    """A standard error per school, at least 2; ScenarioError."""
    size = None if n_schools is None else checks.integer("n_schools", n_schools, least=2, most=checks.WIDTH)
    if not isinstance(value, list | tuple):
        if size is None:
            raise ScenarioError("n_schools", None, "one error for all schools needs n_schools")
        return [checks.number(key, value, above=0.0)] * size
    listed = [checks.number(f"{key}[{i}]", v, above=0.0) for i, v in enumerate(checks.numbers(key, value))]
    if size not in (None, len(listed)):
        raise ScenarioError("n_schools", n_schools, f"{key} lists {len(listed)} values; leave n_schools out")
    if not 2 <= len(listed) <= checks.WIDTH:
        raise ScenarioError(key, value, f"a hierarchy needs 2 schools or more, and at most {checks.WIDTH}")
    return listed


def check(scenario: Scenario) -> None:
    """Validate data, priors, start and hold-out against the settings; ScenarioError with a dotted key."""
    if scenario.predict:
        raise ScenarioError("predict", dict(scenario.predict), "the family eight_schools has no inputs to predict at")
    if scenario.data:
        table = checks.table("data", scenario.data, ("effects", "errors"))
        for key in ("effects", "errors"):
            if key not in table:
                raise ScenarioError(f"data.{key}", None, "it must be given: one number per school")
        size = len(errors("data.errors", table["errors"]))
        checks.numbers("data.effects", table["effects"], length=size)
    hierarchy.check_priors(scenario, dict(PRIORS))
    sites = eight_schools_data.coordinates(scenario) or eight_schools_data.parameters(scenario)
    starts.check(scenario.start, sites)
    held = checks.table("holdout", scenario.holdout, ("n_obs",))
    if held and scenario.data:
        raise ScenarioError("holdout", held, "no more rows can be generated of data whose truth is not known")
    if held:
        checks.integer("holdout.n_obs", held["n_obs"])


def notes(scenario: Scenario) -> tuple[str, ...]:
    """What a reader must know: an improper prior on mu, and what the centred parametrisation is there for."""
    found = []
    if scenario.priors["mu"].name == "flat":
        found.append("Improper flat prior on mu: the log evidence is defined up to a constant.")
    if scenario.settings["parametrisation"] == "centred":
        found.append(
            "Centred parametrisation: the density of (mu, log tau, theta) narrows to a funnel as tau goes to 0, which "
            "samplers of one step size cannot enter; the exact posterior is that of the non-centred model."
        )
    return tuple(found)

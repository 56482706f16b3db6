"""Data of the family `linear`: generated, read from a file, or made again by a recipe; hold-out and start values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ScenarioError
from bench.types import Array, Parameter, Prior, Scenario, Simulated, derive_seed
from scenarios.families import checks, designs, priors, starts

SCENARIOS = Path(__file__).parents[1]
RECIPES = ("legacy_normal",)
_FIXED_BY_FILE = ("n_obs", "n_features", "features", "weights", "bias", "noise")


def truth_known(settings: Mapping[str, Any]) -> bool:
    """Whether the settings say how the observations came about, so that more of them can be drawn."""
    return settings["weights"] is not None and settings["noise"] is not None and settings["bias"] is not None


@lru_cache(maxsize=8)
def read_table(file: str) -> tuple[Array, Array]:
    """x (n, J) and y (n,) of a CSV file with header x0,…,y, relative to the scenarios' folder; ScenarioError."""
    path = SCENARIOS / file
    if not path.is_file():
        raise ScenarioError("data.file", file, "it must name a CSV file below the scenarios' folder")
    with path.open(encoding="utf-8") as stream:
        header = stream.readline().strip().split(",")
    if len(header) < 2 or header != [f"x{j}" for j in range(len(header) - 1)] + ["y"]:
        raise ScenarioError("data.file", file, f"its header must be x0,…,y but is {','.join(header)}")
    try:
        values = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    except ValueError as error:
        raise ScenarioError("data.file", file, f"its rows must be {len(header)} numbers: {error}") from error
    if values.shape[1:] != (len(header),) or not len(values) or not np.isfinite(values).all():
        raise ScenarioError("data.file", file, f"its rows must be {len(header)} finite numbers")
    x, y = np.ascontiguousarray(values[:, :-1]), values[:, -1].copy()
    x.flags.writeable = y.flags.writeable = False  # cached: a backend that writes into its data must not change ours
    return x, y


def check_data(scenario: Scenario) -> None:
    """Validate the `[data]` table and what it leaves no choice about; ScenarioError."""
    table = checks.table("data", scenario.data, ("file", "recipe", "seed"))
    if ("file" in table) == ("recipe" in table):
        raise ScenarioError("data", table, "give either file or recipe")
    if "file" in table:
        _check_file(scenario, table)
        return
    settings = scenario.settings
    if table["recipe"] not in RECIPES:
        raise ScenarioError("data.recipe", table["recipe"], f"recipes are {', '.join(RECIPES)}")
    seed = checks.integer("data.seed", table.get("seed"), least=0)
    if seed >= 2**32:
        raise ScenarioError("data.seed", seed, "it must be below 2**32")
    for key in ("n_obs", "weights", "noise"):
        if settings[key] is None:
            raise ScenarioError(key, None, "the recipe needs it")
    if settings["bias"] == "none":
        raise ScenarioError("bias", "none", "the recipe needs a number")
    if settings["features"] != designs.settings("normal"):
        raise ScenarioError("features", settings["features"], 'the recipe draws "normal" features')
    _refuse_random_weights(settings)
    if settings["n_features"] is None:
        raise ScenarioError("n_features", None, "weights made by a rule need n_features")


def _check_file(scenario: Scenario, table: Mapping[str, Any]) -> None:
    if not isinstance(table["file"], str):
        raise ScenarioError("data.file", table["file"], "it must be a path below the scenarios' folder")
    if "seed" in table:
        raise ScenarioError("data.seed", table["seed"], "only a recipe has a seed")
    for key in _FIXED_BY_FILE:
        if key in scenario.overrides:
            raise ScenarioError(key, scenario.overrides[key], f"{table['file']} fixes the data; leave it as it is")
    n, width = read_table(table["file"])[0].shape
    for key, value in (("n_obs", n), ("n_features", width)):
        if scenario.settings[key] not in (None, value):
            raise ScenarioError(key, scenario.settings[key], f"{table['file']} has {value}; leave {key} out")
    designs.check_width(scenario.settings["features"], width)
    _refuse_random_weights(scenario.settings)


def _refuse_random_weights(settings: Mapping[str, Any]) -> None:
    weights = settings["weights"]
    if isinstance(weights, Mapping) and not weights.keys() & {"constant", "linspace", "sparse"}:
        raise ScenarioError("weights", dict(weights), "fixed data have one truth: numbers or a rule that draws nothing")


def sizes(scenario: Scenario) -> tuple[int, int]:
    """(N, J), from the data file where there is one."""
    if "file" in scenario.data:
        n, width = read_table(scenario.data["file"])[0].shape
        return n, width
    return scenario.settings["n_obs"], scenario.settings["n_features"]


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """weights (J,), bias () unless "none", sigma () unless known; bounds are those of their priors."""
    weights = Parameter("weights", (sizes(scenario)[1],), *priors.support(scenario.priors["weights"]))
    found = [weights]
    if scenario.settings["bias"] != "none":
        found.append(Parameter("bias", (), *priors.support(scenario.priors["bias"])))
    if scenario.priors["sigma"].name != "known":
        lower, upper = priors.support(scenario.priors["sigma"])
        found.append(Parameter("sigma", (), max(lower, 0.0), upper))
    return tuple(found)


def true_weights(settings: Mapping[str, Any], width: int, rng: np.random.Generator) -> Array:
    """The literal weights, or what their rule makes."""
    match settings["weights"]:
        case list() as values:
            return np.array(values)
        case {"constant": value}:
            return np.full(width, float(value))
        case {"linspace": (first, last)}:
            return np.linspace(first, last, width)
        case {"sparse": (k, value)}:
            return np.where(np.arange(width) < k, float(value), 0.0)
        case rule:
            ((name, args),) = rule.items()
            return priors.draw(Prior(name, tuple(args)), (width,), rng)


def simulate(scenario: Scenario, rng: np.random.Generator) -> Simulated:
    """One data set: arrays x (n, J) and y (n,); truth; hold-out x, y and x_outside, y_outside (noiseless); new x."""
    settings, (n, width) = scenario.settings, sizes(scenario)
    if scenario.data:
        rng = np.random.default_rng(derive_seed(0, "holdout", scenario.name))
    truth: dict[str, Array] = {}
    if settings["weights"] is not None:
        truth["weights"] = true_weights(settings, width, rng)
    if settings["bias"] not in (None, "none"):
        truth["bias"] = np.array(settings["bias"])
    if settings["noise"] is not None:
        truth["sigma"] = np.array(settings["noise"])
    root = designs.covariance_root(settings["features"], width, rng)
    if "file" in scenario.data:
        x, y = read_table(scenario.data["file"])
    elif "recipe" in scenario.data:
        x, y, _ = _legacy_normal(scenario, truth)
    else:
        x = designs.rows(settings["features"], (n, width), root, rng)
        y = _mean(truth, x) + truth["sigma"] * rng.standard_normal(n)
    new = {"x": np.array(scenario.predict["x"], dtype=float)} if scenario.predict else {}
    return Simulated({"x": x, "y": y}, truth, _holdout(scenario, truth, root, rng), new)


def _mean(truth: Mapping[str, Array], x: Array) -> Array:
    return np.asarray(x @ truth["weights"] + truth.get("bias", 0.0))


def _holdout(
    scenario: Scenario, truth: Mapping[str, Array], root: Array | None, rng: np.random.Generator
) -> dict[str, Array]:
    settings, (n, width) = scenario.settings, sizes(scenario)
    if not truth_known(settings):
        return {}
    n_new = scenario.holdout.get("n_obs", min(max(100, n), 1000))
    x = designs.rows(settings["features"], (n_new, width), root, rng)
    held = {"x": x, "y": _mean(truth, x) + truth["sigma"] * rng.standard_normal(n_new)}
    if outside := scenario.holdout.get("outside"):
        span = (float(outside["low"]), float(outside["high"]))
        held["x_outside"] = designs.rows_between(settings["features"], (outside["n_obs"], width), span, rng)
        held["y_outside"] = _mean(truth, held["x_outside"])
    return held


def _legacy_normal(scenario: Scenario, truth: Mapping[str, Array]) -> tuple[Array, Array, dict[str, Array]]:
    """x, y and the start, all from one legacy NumPy generator in the order x, noise, weights, bias."""
    n, width = sizes(scenario)
    legacy = np.random.RandomState(scenario.data["seed"])
    x = legacy.standard_normal((n, width))
    noise = float(truth["sigma"]) * legacy.standard_normal((n, 1))[:, 0]
    start = {"weights": legacy.standard_normal(width), "bias": legacy.standard_normal(1).reshape(())}
    return x, _mean(truth, x) + noise, start


def start(scenario: Scenario, rng: np.random.Generator) -> dict[str, Array]:
    """Start values the scenario or its recipe prescribes, {parameter: shape}; what it leaves open is absent."""
    begun: dict[str, Array] = {}
    if "recipe" in scenario.data:
        truth = {k: np.asarray(v) for k, v in simulate(scenario, rng).truth.items()}
        begun |= _legacy_normal(scenario, truth)[2]
    return begun | starts.values(scenario.start, parameters(scenario), rng)

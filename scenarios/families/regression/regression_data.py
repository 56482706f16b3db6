"""Data of every regression: generated, or read from a file; truth, hold-out and new inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ScenarioError
from bench.types import Array, Parameter, Prior, Scenario, Simulated, derive_seed
from scenarios.families.common import checks, designs, priors

SCENARIOS = Path(__file__).parents[2]
Truth = Mapping[str, Array]
Observe = Callable[[Array, Truth, np.random.Generator], Array]
"""Observations (n,) drawn around the linear predictor X·weights + bias (n,) at a truth."""
Expected = Callable[[Array], Array]
"""Expected observations (n,) at the linear predictor (n,)."""


def truth_known(settings: Mapping[str, Any]) -> bool:
    """Whether the settings say how the observations came about, so that more of them can be drawn."""
    needed = [key for key in ("weights", "noise", "bias") if key in settings]
    return all(settings[key] is not None for key in needed)


@lru_cache(maxsize=8)
def read_table(file: str) -> tuple[Array, Array]:
    """x (n, J) and y (n,) of a CSV file with header x0,…,y, relative to the scenarios' folder; ScenarioError."""
    path, line = checks.data_file(file, SCENARIOS)
    header = line.split(",")
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


def check_file(scenario: Scenario, table: Mapping[str, Any]) -> None:
    """Validate `[data] file` and what it leaves no choice about; ScenarioError."""
    if not isinstance(table["file"], str):
        raise ScenarioError("data.file", table["file"], "it must be a path below the scenarios' folder")
    if "seed" in table:
        raise ScenarioError("data.seed", table["seed"], "only a recipe has a seed")
    for key in scenario.settings:
        if key in scenario.overrides:
            raise ScenarioError(key, scenario.overrides[key], f"{table['file']} fixes the data; leave it as it is")
    n, width = read_table(table["file"])[0].shape
    for key, value in (("n_obs", n), ("n_features", width)):
        if scenario.settings[key] not in (None, value):
            raise ScenarioError(key, scenario.settings[key], f"{table['file']} has {value}; leave {key} out")
    designs.check_width(scenario.settings["features"], width)
    refuse_random_weights(scenario.settings)


def refuse_random_weights(settings: Mapping[str, Any]) -> None:
    """Fixed data have one truth; ScenarioError for weights that are drawn."""
    weights = settings["weights"]
    if isinstance(weights, Mapping) and not weights.keys() & {"constant", "linspace", "sparse"}:
        raise ScenarioError("weights", dict(weights), "fixed data have one truth: numbers or a rule that draws nothing")


def sizes(scenario: Scenario) -> tuple[int, int]:
    """(N, J), from the data file where there is one."""
    if "file" in scenario.data:
        n, width = read_table(scenario.data["file"])[0].shape
        return n, width
    return scenario.settings["n_obs"], scenario.settings["n_features"]


def parameters(scenario: Scenario, *, positive: tuple[str, ...] = ()) -> tuple[Parameter, ...]:
    """weights (J,), bias () unless "none", the `positive` ones () unless known; bounds are those of their priors."""
    found = [Parameter("weights", (sizes(scenario)[1],), *priors.support(scenario.priors["weights"]))]
    if scenario.settings["bias"] != "none":
        found.append(Parameter("bias", (), *priors.support(scenario.priors["bias"])))
    for name in positive:
        if scenario.priors[name].name != "known":
            lower, upper = priors.support(scenario.priors[name])
            found.append(Parameter(name, (), max(lower, 0.0), upper))
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


def predictor(truth: Truth, x: Array) -> Array:
    """X·weights + bias at a truth, (n,)."""
    return np.asarray(x @ truth["weights"] + truth.get("bias", 0.0))


def simulate(
    scenario: Scenario,
    rng: np.random.Generator,
    *,
    scales: Truth,
    observe: Observe,
    expected: Expected,
    recipe: Callable[[Truth], tuple[Array, Array]] | None = None,
) -> Simulated:
    """One data set: arrays x (n, J) and y (n,); truth; hold-out x, y and x_outside, y_outside (noiseless); new x.

    `scales` is what the truth holds beside weights and bias; `recipe` makes x and y in place of design and `observe`.
    """
    settings, (n, width) = scenario.settings, sizes(scenario)
    if scenario.data:
        rng = np.random.default_rng(derive_seed(0, "holdout", scenario.name))
    truth: dict[str, Array] = {}
    if settings["weights"] is not None:
        truth["weights"] = true_weights(settings, width, rng)
    if settings["bias"] not in (None, "none"):
        truth["bias"] = np.array(settings["bias"])
    truth |= scales
    root = designs.covariance_root(settings["features"], width, rng)
    if "file" in scenario.data:
        x, y = read_table(scenario.data["file"])
    elif recipe is not None:
        x, y = recipe(truth)
    else:
        x = designs.rows(settings["features"], (n, width), root, rng)
        y = observe(predictor(truth, x), truth, rng)
    new = {"x": np.array(scenario.predict["x"], dtype=float)} if scenario.predict else {}
    held = _holdout(scenario, truth, root, rng, observe, expected) if truth_known(settings) else {}
    return Simulated({"x": x, "y": y}, truth, held, new)


def _holdout(
    scenario: Scenario,
    truth: Truth,
    root: Array | None,
    rng: np.random.Generator,
    observe: Observe,
    expected: Expected,
) -> dict[str, Array]:
    features, (n, width) = scenario.settings["features"], sizes(scenario)
    n_new = scenario.holdout.get("n_obs", min(max(100, n), 1000))
    x = designs.rows(features, (n_new, width), root, rng)
    held = {"x": x, "y": observe(predictor(truth, x), truth, rng)}
    if outside := scenario.holdout.get("outside"):
        span = (float(outside["low"]), float(outside["high"]))
        held["x_outside"] = designs.rows_between(features, (outside["n_obs"], width), span, rng)
        held["y_outside"] = expected(predictor(truth, held["x_outside"]))
    return held

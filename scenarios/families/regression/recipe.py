"""Data sets of the linear family that are made again as their source made them."""

from __future__ import annotations

import numpy as np

from bench.errors import ScenarioError
from bench.types import Array, Arrays, Scenario
from scenarios.families.common import checks, designs
from scenarios.families.regression.generator import predictor, refuse_random_weights, sizes

RECIPES = ("legacy_normal",)


def check(scenario: Scenario) -> None:
    """Validate the `[data]` table and the settings that the recipe needs; ScenarioError."""
    table, settings = scenario.data, scenario.settings
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
    refuse_random_weights(settings)
    if settings["n_features"] is None:
        raise ScenarioError("n_features", None, "weights made by a rule need n_features")


def rows(scenario: Scenario, truth: Arrays) -> tuple[Array, Array]:
    """x (n, J) and y (n,)."""
    return _legacy_normal(scenario, truth)[:2]


def start(scenario: Scenario, truth: Arrays) -> dict[str, Array]:
    """Start values of weights and bias."""
    return _legacy_normal(scenario, truth)[2]


def _legacy_normal(scenario: Scenario, truth: Arrays) -> tuple[Array, Array, dict[str, Array]]:
    """x, y and the start, all from one legacy NumPy generator in the order x, noise, weights, bias."""
    n, width = sizes(scenario)
    legacy = np.random.RandomState(scenario.data["seed"])
    x = legacy.standard_normal((n, width))
    noise = float(truth["sigma"]) * legacy.standard_normal((n, 1))[:, 0]
    start = {"weights": legacy.standard_normal(width), "bias": legacy.standard_normal(1).reshape(())}
    return x, predictor(truth, x) + noise, start

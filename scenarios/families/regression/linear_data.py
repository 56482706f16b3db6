"""Data of the family `linear`: generated, read from a file, or made again by a recipe; start values."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.errors import ScenarioError
from bench.types import Array, Parameter, Scenario, Simulated
from scenarios.families.common import checks, designs, starts
from scenarios.families.regression import regression_data
from scenarios.families.regression.regression_data import Truth, predictor, sizes

RECIPES = ("legacy_normal",)


def check_data(scenario: Scenario) -> None:
    """Validate the `[data]` table and what it leaves no choice about; ScenarioError."""
    table = checks.table("data", scenario.data, ("file", "recipe", "seed"))
    if ("file" in table) == ("recipe" in table):
        raise ScenarioError("data", table, "give either file or recipe")
    if "file" in table:
        regression_data.check_file(scenario, table)
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
    regression_data.refuse_random_weights(settings)
    if settings["n_features"] is None:
        raise ScenarioError("n_features", None, "weights made by a rule need n_features")


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """weights (J,), bias () unless "none", sigma () unless known; bounds are those of their priors."""
    return regression_data.parameters(scenario, positive=("sigma",))


def simulate(scenario: Scenario, rng: np.random.Generator) -> Simulated:
    """One data set: arrays x (n, J) and y (n,); truth; hold-out x, y and x_outside, y_outside (noiseless); new x."""
    noise = scenario.settings["noise"]
    return regression_data.simulate(
        scenario,
        rng,
        scales={} if noise is None else {"sigma": np.array(noise)},
        observe=_observe,
        expected=lambda mean: mean,
        recipe=partial(_recipe, scenario) if "recipe" in scenario.data else None,
    )


def _observe(mean: Array, truth: Truth, rng: np.random.Generator) -> Array:
    return mean + truth["sigma"] * rng.standard_normal(len(mean))


def _recipe(scenario: Scenario, truth: Truth) -> tuple[Array, Array]:
    return _legacy_normal(scenario, truth)[:2]


def _legacy_normal(scenario: Scenario, truth: Truth) -> tuple[Array, Array, dict[str, Array]]:
    """x, y and the start, all from one legacy NumPy generator in the order x, noise, weights, bias."""
    n, width = sizes(scenario)
    legacy = np.random.RandomState(scenario.data["seed"])
    x = legacy.standard_normal((n, width))
    noise = float(truth["sigma"]) * legacy.standard_normal((n, 1))[:, 0]
    start = {"weights": legacy.standard_normal(width), "bias": legacy.standard_normal(1).reshape(())}
    return x, predictor(truth, x) + noise, start


def start(scenario: Scenario, rng: np.random.Generator) -> dict[str, Array]:
    """Start values the scenario or its recipe prescribes, {parameter: shape}; what it leaves open is absent."""
    begun: dict[str, Array] = {}
    if "recipe" in scenario.data:
        truth = {k: np.asarray(v) for k, v in simulate(scenario, rng).truth.items()}
        begun |= _legacy_normal(scenario, truth)[2]
    return begun | starts.values(scenario.start, parameters(scenario), rng)

"""Data of every regression: generated, or read from a file; truth, hold-out and new inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from bench.errors import ScenarioError
from bench.types import Array, Prior, Scenario, Simulated, derive_seed
from scenarios.families.common import checks, designs, priors
from scenarios.families.regression.likelihood import Likelihood

Truth = Mapping[str, Array]
Recipe = Callable[[Scenario, Truth], tuple[Array, Array]]
"""What makes x (n, J) and y (n,) of a truth in place of the design and the law."""

WEIGHT_RULES = ("constant", "linspace", "sparse")
"""Rules for true weights that draw nothing."""


def true_scales(settings: Mapping[str, Any], law: Likelihood) -> dict[str, Array]:
    """The law's scales that the data are made with; none where the settings leave one open."""
    values = {scale.name: settings[scale.key] for scale in law.SCALES}
    return {} if None in values.values() else {name: np.array(value) for name, value in values.items()}


def truth_known(settings: Mapping[str, Any]) -> bool:
    """Whether the settings say how the observations came about, so that more of them can be drawn."""
    return all(settings[key] is not None for key in settings.keys() - {"n_obs", "n_features", "features"})


def read_table(scenario: Scenario) -> tuple[Array, Array]:
    """x (n, J) and y (n,) of the scenario's CSV file, which has the header x0,…,y; ScenarioError."""
    return _read_table(checks.data_file(scenario))


@lru_cache(maxsize=8)
def _read_table(table: checks.DataFile) -> tuple[Array, Array]:
    file, header = table.name, table.header().split(",")
    if len(header) < 2 or header != [f"x{j}" for j in range(len(header) - 1)] + ["y"]:
        raise ScenarioError("data.file", file, f"its header must be x0,…,y but is {','.join(header)}")
    try:
        values = np.loadtxt(table.path, delimiter=",", skiprows=1, ndmin=2)
    except ValueError as error:
        raise ScenarioError("data.file", file, f"its rows must be {len(header)} numbers: {error}") from error
    if values.shape[1:] != (len(header),) or not len(values) or not np.isfinite(values).all():
        raise ScenarioError("data.file", file, f"its rows must be {len(header)} finite numbers")
    x, y = np.ascontiguousarray(values[:, :-1]), values[:, -1].copy()
    x.flags.writeable = y.flags.writeable = False  # cached: a backend that writes into its data must not change ours
    return x, y


def check_file(scenario: Scenario, table: Mapping[str, Any], law: Likelihood) -> None:
    """Validate `[data] file` and what it leaves no choice about; ScenarioError."""
    x, y = read_table(scenario)
    if "seed" in table:
        raise ScenarioError("data.seed", table["seed"], "only a recipe has a seed")
    for key in scenario.settings:
        if key in scenario.overrides:
            raise ScenarioError(key, scenario.overrides[key], f"{table['file']} fixes the data; leave it as it is")
    n, width = x.shape
    for key, value in (("n_obs", n), ("n_features", width)):
        if scenario.settings[key] not in (None, value):
            raise ScenarioError(key, scenario.settings[key], f"{table['file']} has {value}; leave {key} out")
    designs.check_width(scenario.settings["features"], width)
    refuse_random_weights(scenario.settings)
    if wrong := law.invalid(y):
        raise ScenarioError("data.file", table["file"], wrong)


def refuse_random_weights(settings: Mapping[str, Any]) -> None:
    """Fixed data have one truth; ScenarioError for weights that are drawn."""
    weights = settings["weights"]
    if isinstance(weights, Mapping) and not weights.keys() & set(WEIGHT_RULES):
        raise ScenarioError("weights", dict(weights), "fixed data have one truth: numbers or a rule that draws nothing")


def sizes(scenario: Scenario) -> tuple[int, int]:
    """(N, J), from the data file where there is one."""
    if "file" in scenario.data:
        n, width = read_table(scenario)[0].shape
        return n, width
    return scenario.settings["n_obs"], scenario.settings["n_features"]


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


def simulate(scenario: Scenario, rng: np.random.Generator, law: Likelihood, recipe: Recipe | None = None) -> Simulated:
    """One data set: arrays x (n, J) and y (n,); truth; hold-out x and y, x_outside and y_outside; new x.

    y_outside are expected values. `recipe` makes x and y in place of the design and the law.
    """
    settings, (n, width) = scenario.settings, sizes(scenario)
    if scenario.data:
        rng = np.random.default_rng(derive_seed(0, "holdout", scenario.name))
    truth: dict[str, Array] = {}
    if settings["weights"] is not None:
        truth["weights"] = true_weights(settings, width, rng)
    if settings["bias"] not in (None, "none"):
        truth["bias"] = np.array(settings["bias"])
    truth |= true_scales(settings, law)
    root = designs.covariance_root(settings["features"], width, rng)
    if "file" in scenario.data:
        x, y = read_table(scenario)
    elif recipe is not None:
        x, y = recipe(scenario, truth)
    else:
        x = designs.rows(settings["features"], (n, width), root, rng)
        y = law.sample(predictor(truth, x), truth, rng)
    new = {"x": np.array(scenario.predict["x"], dtype=float)} if scenario.predict else {}
    held = _holdout(scenario, truth, root, rng, law) if truth_known(settings) else {}
    return Simulated({"x": x, "y": y}, truth, held, new)


def _holdout(
    scenario: Scenario, truth: Truth, root: Array | None, rng: np.random.Generator, law: Likelihood
) -> dict[str, Array]:
    features, (n, width) = scenario.settings["features"], sizes(scenario)
    x = designs.rows(features, (scenario.holdout.get("n_obs", min(max(100, n), 1000)), width), root, rng)
    held = {"x": x, "y": law.sample(predictor(truth, x), truth, rng)}
    if outside := scenario.holdout.get("outside"):
        span = (float(outside["low"]), float(outside["high"]))
        held["x_outside"] = designs.rows_between(features, (outside["n_obs"], width), span, rng)
        held["y_outside"] = law.mean(predictor(truth, held["x_outside"]))
    return held

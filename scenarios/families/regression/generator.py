"""Data of every regression: generated, or read from a file; truth, hold-out and new inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from bench import chunks
from bench.errors import ScenarioError, shown
from bench.types import Array, Arrays, Prior, Scenario, Simulated, derive_seed
from scenarios.families.common import checks, designs, priors
from scenarios.families.regression import columns
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
    free = {"n_obs", "n_features", "features", *columns.KEYS}
    return all(settings[key] is not None for key in settings.keys() - free)


class Table(NamedTuple):
    """x (n, J), y (n,) and what else each row has, {name: (n,)}."""

    x: Array
    y: Array
    columns: Arrays


def read_table(scenario: Scenario) -> Table:
    """The design of a formula, else a CSV file of header x0,…,y and then any of `columns.KEYS`; ScenarioError."""
    if scenario.design is not None:
        arrays = scenario.design.arrays
        return Table(arrays["x"], arrays["y"], {name: v for name, v in arrays.items() if name not in ("x", "y")})
    return _read_table(checks.data_file(scenario))


@lru_cache(maxsize=8)
def _read_table(table: checks.DataFile) -> Table:
    file, header = table.name, table.header().split(",")
    width = header.index("y") if "y" in header else 0
    beside = header[width + 1 :]
    named = header[:width] == [f"x{j}" for j in range(width)] and len(set(beside)) == len(beside)
    if not width or not named or not set(beside) <= columns.KEYS.keys():
        wanted = f"its header must be x0,…,y, then any of {', '.join(columns.KEYS)}, but is {','.join(header)}"
        raise ScenarioError("data.file", file, wanted)
    try:
        values = np.loadtxt(table.path, delimiter=",", skiprows=1, ndmin=2, encoding="utf-8")
    except ValueError:
        values = np.empty(0)
    if values.shape[1:] != (len(header),) or not len(values) or not np.isfinite(values).all():
        raise ScenarioError(
            "data.file", file, f"its rows must be {len(header)} finite numbers: {_fault(table, header)}"
        )
    values = np.asfortranarray(values)
    x, y = np.ascontiguousarray(values[:, :width]), values[:, width]
    x.flags.writeable = values.flags.writeable = y.flags.writeable = False  # cached: a backend must not change ours
    return Table(x, y, {name: values[:, width + 1 + i] for i, name in enumerate(beside)})


def _fault(table: checks.DataFile, header: list[str]) -> str:
    """The first line of the file, with its column, that is no row of finite numbers."""
    lines = table.path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines[1:], 2):
        cells = line.strip().split(",")
        if cells != [""] and len(cells) != len(header):
            return f"line {number} has {len(cells)} values"
        for name, cell in zip(header, cells, strict=False):
            if cells != [""] and not _finite(cell):
                return f"line {number}, column {name}: {shown(cell)}"
    return "it has none"


def _finite(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def check_file(scenario: Scenario, table: Mapping[str, Any], law: Likelihood) -> None:
    """Validate `[data] file` and what it leaves no choice about; ScenarioError."""
    x, y, beside = read_table(scenario)
    if "seed" in table:
        raise ScenarioError("data.seed", table["seed"], "only a recipe has a seed")
    if scenario.predict and scenario.design is not None:
        raise ScenarioError(
            "predict", dict(scenario.predict), "beside a formula there are no new inputs; hold rows out"
        )
    for key in scenario.settings:
        if key in scenario.overrides and key != "link":
            raise ScenarioError(key, scenario.overrides[key], f"{table['file']} fixes the data; leave it as it is")
    n, width = x.shape
    for key, value in (("n_obs", n), ("n_features", width)):
        if scenario.settings[key] not in (None, value):
            raise ScenarioError(key, scenario.settings[key], f"{table['file']} has {value}; leave {key} out")
    designs.check_width(scenario.settings["features"], width)
    refuse_random_weights(scenario.settings)
    for part in chunks.each({"y": y, **beside}, scenario.settings.get("chunk_rows", 0)):
        check_observations(table["file"], part.pop("y"), part, law, scenario.family)


def check_observations(file: str, y: Array, beside: Arrays, law: Likelihood, family: str) -> None:
    """Validate that the law makes such observations and knows the columns beside them; ScenarioError."""
    for key in beside.keys() - set(law.COLUMNS):
        raise ScenarioError("data.file", file, f"it has {key}, which {family} regressions have not")
    if wrong := law.at("", beside).invalid(y):
        raise ScenarioError("data.file", file, wrong)


def refuse_random_weights(settings: Mapping[str, Any]) -> None:
    """Fixed data have one truth; ScenarioError for weights that are drawn."""
    weights = settings["weights"]
    if isinstance(weights, Mapping) and not weights.keys() & set(WEIGHT_RULES):
        raise ScenarioError("weights", dict(weights), "fixed data have one truth: numbers or a rule that draws nothing")


def sizes(scenario: Scenario) -> tuple[int, int]:
    """(N, J), from the data file where there is one."""
    if "file" in scenario.data:
        n, width = read_table(scenario).x.shape
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


def predictor(truth: Truth, x: Array, beside: Arrays = MappingProxyType({})) -> Array:
    """X·weights + bias, or the intercept of each row's group, + offset at a truth, (n,)."""
    intercept = intercepts(truth, beside["group"]) if "group" in beside else truth.get("bias", 0.0)
    slope = x @ truth["weights"] if "weights" in truth else 0.0
    return np.asarray(slope + intercept + beside.get("offset", 0.0))


def intercepts(draws: Arrays, group: Array) -> Array:
    """Those of the rows, (..., n), by their groups (n,), numbers from 0, and a new array."""
    return np.asarray(np.asarray(draws["a"], dtype=float)[..., group.astype(np.intp)])


def simulate(scenario: Scenario, rng: np.random.Generator, law: Likelihood, recipe: Recipe | None = None) -> Simulated:
    """One data set: arrays x (n, J), y (n,) and the law's columns (n,); truth; hold-out of the same; new x.

    The hold-out may have x_outside and y_outside, which are expected values. `recipe` makes x and y in place of the
    design and the law.
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
    beside: Arrays = {}
    if "file" in scenario.data:
        x, y, beside = read_table(scenario)
    elif recipe is not None:
        x, y = recipe(scenario, truth)
    elif "chunk_rows" in settings:
        x, y = _in_chunks(settings, (n, width), truth, root, rng, law)
    else:
        x = designs.rows(settings["features"], (n, width), root, rng)
        beside = columns.rows(settings, n, {}, rng)
        y = observed(truth, x, beside, settings, law, rng)
    new = {"x": np.array(scenario.predict["x"], dtype=float)} if scenario.predict else {}
    held: Arrays = scenario.design.holdout if scenario.design is not None else {}
    if truth_known(settings):
        held = _holdout(scenario, truth, root, beside, rng, law)
    return Simulated({"x": x, "y": y, **beside}, truth, held, new)


def _in_chunks(
    settings: Mapping[str, Any],
    shape: tuple[int, int],
    truth: Truth,
    root: Array | None,
    rng: np.random.Generator,
    law: Likelihood,
) -> tuple[Array, Array]:
    """x (n, J) and y (n,) in files, a chunk of rows at a time: what one array of them would hold, but for rounding.

    Random numbers are taken in the same order, those of x before those of y.
    """
    (n, width), rows = shape, settings["chunk_rows"]
    sizes = (min(rows, n - at) for at in range(0, n, rows))
    x = chunks.written(designs.rows(settings["features"], (size, width), root, rng) for size in sizes)
    parts = chunks.each({"x": x}, rows)
    return x, chunks.written(observed(truth, part["x"], {}, settings, law, rng) for part in parts)


def observed(
    truth: Truth, x: Array, beside: Arrays, settings: Mapping[str, Any], law: Likelihood, rng: np.random.Generator
) -> Array:
    """y (n,) of rows x (n, J) and their columns."""
    return law.at(settings.get("link", ""), beside).sample(predictor(truth, x, beside), truth, rng)


def _holdout(
    scenario: Scenario, truth: Truth, root: Array | None, like: Arrays, rng: np.random.Generator, law: Likelihood
) -> dict[str, Array]:
    settings, (n, width) = scenario.settings, sizes(scenario)
    features = settings["features"]
    x = designs.rows(features, (scenario.holdout.get("n_obs", min(max(100, n), 1000)), width), root, rng)
    beside = columns.rows(settings, len(x), like if scenario.data else {}, rng)
    held = {"x": x, "y": observed(truth, x, beside, settings, law, rng), **beside}
    if outside := scenario.holdout.get("outside"):
        span = (float(outside["low"]), float(outside["high"]))
        held["x_outside"] = designs.rows_between(features, (outside["n_obs"], width), span, rng)
        usual = law.at(settings.get("link", ""), {})
        held["y_outside"] = usual.mean(predictor(truth, held["x_outside"]))
    return held

"""A model of the user's own: a folder says its parameters, its data, and its density in the words of frameworks.

`model.toml` names parameters, shapes, supports and a data file; beside it lie any of `numpyro.py`, `pyro.py` (a
function `model` of the data's arrays by name), `torch.py` (`log_density(data, params)`, batched), `jax.py` (the same,
of one point) and `model.stan`. Children alone run these, so here the density is not known: no formula gives its
posterior, and frameworks are held against each other.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.errors import NoReference, ScenarioError, shown
from bench.protocols import Reference
from bench.types import Array, Arrays, Dataset, Parameter, Scenario, Simulated
from scenarios.families.common import checks
from scenarios.families.common.base import Family

UNKNOWN = "only the model's own code knows its density"
NO_FORMULA = "no formula gives the posterior of a model of one's own; `bench reference` makes one by long runs"
BYTES = 2**28
"""A data file at most."""


class OwnModel(Family):
    """Parameters as `[parameters]` has them; arrays are those of the data file, whole numbers alone are sizes."""

    name = "model"
    OPAQUE = True
    KEYS: Mapping[str, str] = {
        "parameters": "a table {name = {shape = [sizes or names of whole numbers in the data], lower = …, upper = …}}",
    }
    PRIORS: Mapping[str, tuple[str, ...]] = {}
    OBJECTIVES = ()

    def settings(self, table: Mapping[str, Any], *, fixed: bool) -> dict[str, Any]:
        self.known_keys(table, ("parameters",))
        blocks = checks.table("parameters", table["parameters"], table["parameters"] or {})
        if not blocks:
            raise ScenarioError("parameters", {}, "it must name a parameter or more")
        return {"parameters": {name: _block(name, block) for name, block in blocks.items()}}

    def check(self, scenario: Scenario) -> None:
        for key in ("holdout", "predict", "start", "sweep"):
            if getattr(scenario, key):
                raise ScenarioError(key, dict(getattr(scenario, key)), "a model of one's own has none")
        checks.table("data", scenario.data, ("file", "integers"))
        arrays = read(scenario)
        for name in scenario.data.get("integers", []):
            if name not in arrays:
                raise ScenarioError("data.integers", name, f"the data have {', '.join(arrays)}")
        self.parameters(scenario)

    def parameters(self, scenario: Scenario) -> tuple[Parameter, ...]:
        arrays = read(scenario)
        return tuple(
            Parameter(name, tuple(_size(name, size, arrays) for size in block["shape"]), block["lower"], block["upper"])
            for name, block in scenario.settings["parameters"].items()
        )

    def simulate(self, scenario: Scenario, rng: np.random.Generator) -> Simulated:
        return Simulated(read(scenario), {}, {})

    def observe(self, data: Dataset, truth: Arrays, rng: np.random.Generator) -> dict[str, Array]:
        raise NoReference(UNKNOWN)

    def prior_predictive(self, data: Dataset, rng: np.random.Generator) -> tuple[dict[str, Array], dict[str, Array]]:
        raise NoReference(f"{UNKNOWN}: there is no drawing a truth from its prior here")

    def prior_variance(self, data: Dataset) -> dict[str, Array]:
        return {p.name: np.full(p.shape, math.inf) for p in data.parameters}

    def log_density(self, data: Dataset, z: Array) -> tuple[Array, Array]:
        raise NoReference(UNKNOWN)

    def log_likelihood(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        raise NoReference(UNKNOWN)

    def observation_cdf(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        raise NoReference(UNKNOWN)

    def predict(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        raise NoReference(UNKNOWN)

    def reference(self, data: Dataset) -> Reference:
        """NoReference: what is stored of long runs is found before a family is asked."""
        raise NoReference(NO_FORMULA)

    def objective(self, data: Dataset, name: str, params: Arrays) -> float:
        raise NoReference(UNKNOWN)

    def optimum(self, data: Dataset, name: str) -> tuple[dict[str, Array], float]:
        raise NoReference(UNKNOWN)


def _block(name: str, value: object) -> dict[str, Any]:
    """Shape and support of one parameter."""
    key = f"parameters.{name}"
    if not name.isidentifier():
        raise ScenarioError(key, value, "its name must be one of Python")
    block = checks.table(key, value, ("shape", "lower", "upper"))
    shape = block.get("shape", [])
    if not isinstance(shape, list) or not all(
        isinstance(size, str | int) and not isinstance(size, bool) for size in shape
    ):
        raise ScenarioError(
            f"{key}.shape", shape, "it must be a list of sizes, or of names of whole numbers in the data"
        )
    lower = checks.number(f"{key}.lower", block["lower"]) if "lower" in block else -math.inf
    upper = checks.number(f"{key}.upper", block["upper"], above=lower) if "upper" in block else math.inf
    if math.isinf(lower) and not math.isinf(upper):
        raise ScenarioError(f"{key}.upper", upper, "an upper bound needs a lower one: take the negative instead")
    return {"shape": shape, "lower": lower, "upper": upper}


def _size(name: str, size: str | int, arrays: Arrays) -> int:
    if isinstance(size, str):
        value = arrays.get(size)
        if value is None or value.ndim or value.dtype.kind != "i":
            known = [key for key, x in arrays.items() if not x.ndim and x.dtype.kind == "i"]
            raise ScenarioError(
                f"parameters.{name}.shape", size, f"whole numbers in the data are {', '.join(known) or 'none'}"
            )
        size = int(value)
    return checks.integer(f"parameters.{name}.shape", size, most=checks.WIDTH**2)


def read(scenario: Scenario) -> dict[str, Any]:
    """The arrays of the data file: of JSON every entry, of CSV every column and its rows' number `n`; ScenarioError."""
    wanted = scenario.data.get("integers", [])
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        raise ScenarioError("data.integers", wanted, "it must be a list of names")
    return dict(_read(checks.data_file(scenario), tuple(wanted)))


@lru_cache(maxsize=8)
def _read(file: checks.DataFile, integers: tuple[str, ...]) -> Mapping[str, Any]:
    if file.stamp[1] > BYTES:
        raise ScenarioError("data.file", file.name, f"it must have at most {BYTES} bytes")
    try:
        values = _json(file) if file.path.suffix == ".json" else _columns(file)
    except (ValueError, RecursionError) as error:
        raise ScenarioError(
            "data.file", file.name, f"it cannot be read: {' '.join(str(error).split())[:200]}"
        ) from None
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, value in values.items():
        if not name.isidentifier():
            raise ScenarioError("data.file", file.name, f"{shown(name)} must be a name of Python")
        try:
            array = np.array(value)
        except ValueError:
            array = np.array(None)
        if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
            raise ScenarioError(
                "data.file", file.name, f"{name} must be a finite number, or lists of them in rows of one length"
            )
        whole = array.ndim == 0 and array.dtype.kind in "iu"
        if name in integers and not np.array_equal(array, np.rint(array)):
            raise ScenarioError("data.integers", name, "it has values that are no whole numbers")
        arrays[name] = array.astype(np.int64 if whole or name in integers else np.float64)
        arrays[name].flags.writeable = False
    return arrays


def _json(file: checks.DataFile) -> Mapping[str, Any]:
    table = json.loads(file.path.read_text(encoding="utf-8-sig"))
    if not isinstance(table, dict):
        raise ValueError("it must be an object of numbers and lists")
    return table


def _columns(file: checks.DataFile) -> Mapping[str, Any]:
    with file.path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream)
        names = [name.strip() for name in next(rows, [])]
        table = [_numbers(row, names, rows.line_num) for row in rows if row]
    columns: dict[str, Any] = {name: [row[i] for row in table] for i, name in enumerate(names)}
    return {**columns, "n": len(table)}


def _numbers(row: list[str], names: Iterable[str], line: int) -> list[float]:
    values = []
    for name, cell in zip(names, row, strict=False):
        try:
            values.append(float(cell))
        except ValueError:
            raise ValueError(f"line {line}, column {name}: {shown(cell)} is no number") from None
    if len(row) != len(values) or len(values) != len(list(names)):
        raise ValueError(f"line {line} has {len(row)} values")
    return values


FAMILY = OwnModel()

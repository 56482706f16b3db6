"""Data of the family `two_groups`: generated or read from a file; hold-out rows and start values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ScenarioError
from bench.types import Array, Arrays, Parameter, Scenario, Simulated, derive_seed
from scenarios.families.common import checks, priors, starts

SCENARIOS = Path(__file__).parents[2]


def truth_known(settings: Mapping[str, Any]) -> bool:
    """Whether the settings say how the observations came about, so that more of them can be drawn."""
    return settings["means"] is not None and settings["noise"] is not None


@lru_cache(maxsize=8)
def read_table(file: str) -> tuple[Array, Array]:
    """y1 (n1,) and y2 (n2,) of a CSV file with header group,y and groups 1 and 2, relative to scenarios/."""
    path, header = checks.data_file(file, SCENARIOS)
    if header != "group,y":
        raise ScenarioError("data.file", file, f"its header must be group,y but is {header}")
    try:
        table = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    except ValueError as error:
        raise ScenarioError("data.file", file, f"its rows must be a group and a number: {error}") from error
    if table.shape[1:] != (2,) or not np.isfinite(table).all() or not np.isin(table[:, 0], (1.0, 2.0)).all():
        raise ScenarioError("data.file", file, "its rows must be a group, 1 or 2, and a finite number")
    groups = (table[table[:, 0] == 1.0, 1].copy(), table[table[:, 0] == 2.0, 1].copy())
    if min(map(len, groups)) < 2:
        raise ScenarioError("data.file", file, "each group needs at least 2 rows")
    for y in groups:
        y.flags.writeable = False  # cached: a backend that writes into its data must not change ours
    return groups


def check_data(scenario: Scenario) -> None:
    """Validate the `[data]` table and what it leaves no choice about; ScenarioError."""
    table = checks.table("data", scenario.data, ("file",))
    file = table.get("file")
    if not isinstance(file, str):
        raise ScenarioError("data.file", file, "it must be a path below the scenarios' folder")
    for key, value in scenario.overrides.items():
        if key in scenario.settings:
            raise ScenarioError(key, value, f"{file} fixes the data; leave it as it is")
    sizes = [len(y) for y in read_table(file)]
    if scenario.settings["n_obs"] not in (None, sizes):
        raise ScenarioError("n_obs", scenario.settings["n_obs"], f"{file} has {sizes}; leave n_obs out")


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """mu (2,) and sigma (2,); bounds are those of their priors."""
    lower, upper = priors.support(scenario.priors["sigma"])
    return Parameter("mu", (2,)), Parameter("sigma", (2,), max(lower, 0.0), upper)


def simulate(scenario: Scenario, rng: np.random.Generator) -> Simulated:
    """One data set: arrays y1 (n1,) and y2 (n2,); truth; hold-out rows y (n,) with their `group` (n,), 0 or 1."""
    settings = scenario.settings
    if scenario.data:
        rng = np.random.default_rng(derive_seed(0, "holdout", scenario.name))
    known = {"mu": settings["means"], "sigma": settings["noise"]}
    truth = {name: np.array(value) for name, value in known.items() if value is not None}
    if scenario.data:
        y1, y2 = read_table(scenario.data["file"])
    else:
        y1, y2 = _rows(truth, settings["n_obs"], rng)
    if not truth_known(settings):
        return Simulated({"y1": y1, "y2": y2}, truth, {})
    held = scenario.holdout.get("n_obs", [min(max(100, len(y)), 1000) for y in (y1, y2)])
    sizes = held if isinstance(held, list) else [held, held]
    group = np.repeat([0.0, 1.0], sizes)
    return Simulated({"y1": y1, "y2": y2}, truth, {"group": group, "y": np.concatenate(_rows(truth, sizes, rng))})


def _rows(truth: Arrays, sizes: list[int], rng: np.random.Generator) -> list[Array]:
    return [
        mean + noise * rng.standard_normal(n) for mean, noise, n in zip(truth["mu"], truth["sigma"], sizes, strict=True)
    ]


def start(scenario: Scenario, rng: np.random.Generator) -> dict[str, Array]:
    """Start values the scenario prescribes, {parameter: (2,)}; what it leaves open is absent."""
    return starts.values(scenario.start, parameters(scenario), rng)

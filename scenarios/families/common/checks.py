"""Values from scenario files: each reader returns the value it promises or raises ScenarioError."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench.errors import ScenarioError
from bench.types import PRIORS, Prior, Scenario
from scenarios.families.common import priors

ROWS = 10**9
"""Observations, groups or numbers of one array at most: 8 GB of float64."""
WIDTH = 10_000
"""Features or groups at most: the exact posterior needs the square of it."""
LARGEST = 1e100
"""No number is beyond this, or, where it must be positive, below its inverse: its square is finite and above 0."""


def integer(key: str, value: object, *, least: int = 1, most: int = ROWS) -> int:
    """A whole number from `least` to `most`; a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ScenarioError(key, value, f"it must be a whole number of at least {least} and at most {most}")
    return value


def number(key: str, value: object, *, above: float = -math.inf) -> float:
    """A number greater than `above` whose square is finite, and above 0 where `above` is 0; a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST < value < LARGEST:
        raise ScenarioError(key, value, f"it must be a finite number between {-LARGEST:g} and {LARGEST:g}")
    if value <= above or (above == 0.0 and value < 1.0 / LARGEST):
        raise ScenarioError(key, value, f"it must be a finite number greater than {above:g}")
    return float(value)


def numbers(key: str, value: object, *, length: int | None = None) -> list[float]:
    """A non-empty list of finite numbers, of that length."""
    if not isinstance(value, list | tuple) or not value or length not in (None, len(value)):
        size = "one or more" if length is None else str(length)
        raise ScenarioError(key, value, f"it must be a list of {size} numbers")
    return [number(f"{key}[{i}]", v) for i, v in enumerate(value)]


def table(key: str, value: object, known: Iterable[str]) -> dict[str, Any]:
    """A table with no keys but the known ones."""
    names = sorted(known)
    if not isinstance(value, Mapping):
        raise ScenarioError(key, value, f"it must be a table with keys among {', '.join(names)}")
    for name in value:
        if name not in names:
            raise ScenarioError(f"{key}.{name}", value[name], f"keys of {key} are {', '.join(names)}")
    return dict(value)


class DataFile(NamedTuple):
    """A file of data as a scenario names it; `stamp` changes when its content does, so that what was read is kept."""

    name: str
    path: Path
    stamp: tuple[int, int]

    def header(self) -> str:
        """Its first line."""
        with self.path.open("rb") as stream:
            return stream.readline(100_000).decode("utf-8-sig", errors="replace").strip()


def data_file(scenario: Scenario) -> DataFile:
    """The file that `[data] file` names; ScenarioError where there is none in or below the scenario's folder."""
    name, path = scenario.data.get("file"), scenario.data_file
    try:
        if path is None or not path.is_file():
            raise FileNotFoundError
        status = path.stat()
    except (OSError, ValueError):
        wanted = "it must name a CSV file in or below the folder of the scenario's file"
        raise ScenarioError("data.file", name, wanted) from None
    return DataFile(str(name), path, (status.st_mtime_ns, status.st_size))


def prior_rule(key: str, value: object) -> Prior:
    """A table of one entry, a distribution and its arguments in order, as in {normal = [0, 1]}."""
    names = [name for name in PRIORS if name not in ("known", "flat")]
    rule = table(key, value, names)
    if len(rule) != 1:
        raise ScenarioError(key, value, f"it must be one of {', '.join(names)} with its arguments")
    ((name, args),) = rule.items()
    path, wanted = f"{key}.{name}", PRIORS[name]
    listed = [number(path, args)] if len(wanted) == 1 and not isinstance(args, list | tuple) else numbers(path, args)
    if len(listed) != len(wanted):
        raise ScenarioError(path, args, f"it takes [{', '.join(wanted)}]")
    prior = Prior(name, tuple(listed))
    if wrong := priors.check_args(prior):
        raise ScenarioError(path, args, wrong)
    return prior


def check_priors(
    scenario: Scenario,
    needed: Mapping[str, tuple[str, ...]],
    scales: Mapping[str, str],
    stranger: Callable[[str], str],
) -> None:
    """Exactly the priors of `needed` {parameter: kinds}; ScenarioError.

    `scales` {parameter: what it is} live above 0; `stranger` says of a name why it has no prior.
    """
    for name, kinds in needed.items():
        if name not in scenario.priors:
            raise ScenarioError(f"priors.{name}", None, f"it must be given: one of {', '.join(kinds)}")
    for name, prior in scenario.priors.items():
        if name not in needed:
            raise ScenarioError(f"priors.{name}", str(prior), stranger(name))
        if prior.name not in needed[name]:
            raise ScenarioError(f"priors.{name}", str(prior), f"priors of {name} are {', '.join(needed[name])}")
        if wrong := priors.check_args(prior):
            raise ScenarioError(f"priors.{name}", str(prior), wrong)
        if name in scales and prior.name == "known" and prior.args[0] <= 0.0:
            raise ScenarioError(f"priors.{name}", str(prior), f"a known {name} must be greater than 0")
        if name in scales and prior.name == "uniform" and prior.args[0] < 0.0:
            raise ScenarioError(f"priors.{name}", str(prior), f"low must be at least 0: {name} is {scales[name]}")

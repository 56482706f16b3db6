"""Values from scenario files: each reader returns the value it promises or raises ScenarioError."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from bench.errors import ScenarioError
from bench.types import PRIORS, Prior
from scenarios.families import priors


def integer(key: str, value: object, *, least: int = 1) -> int:
    """A whole number of at least `least`; a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ScenarioError(key, value, f"it must be a whole number of at least {least}")
    return value


def number(key: str, value: object, *, above: float = -math.inf) -> float:
    """A finite number greater than `above`; a boolean is none."""
    ok = isinstance(value, int | float) and not isinstance(value, bool)
    if not ok or not math.isfinite(float(value)) or float(value) <= above:  # type: ignore[arg-type]
        bound = "" if above == -math.inf else f" greater than {above:g}"
        raise ScenarioError(key, value, f"it must be a finite number{bound}")
    return float(value)  # type: ignore[arg-type]


def numbers(key: str, value: object, *, length: int | None = None) -> list[float]:
    """A non-empty list of finite numbers."""
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

"""The `[start]` table of every family: start values as numbers or distributions, checked against the supports."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.errors import ScenarioError
from bench.types import Array, Arrays, Parameter
from scenarios.families.common import checks, priors


def check(table: Mapping[str, Any], parameters: Sequence[Parameter]) -> None:
    """Validate each entry: a number, one per element, or a distribution, inside its support; ScenarioError."""
    known = {p.name: p for p in parameters}
    for name, value in table.items():
        key = f"start.{name}"
        if name not in known:
            raise ScenarioError(key, value, f"parameters are {', '.join(known)}")
        if not _inside(key, value, known[name]):
            raise ScenarioError(key, value, f"{name} lives in ({known[name].lower:g}, {known[name].upper:g})")


def _inside(key: str, value: object, p: Parameter) -> bool:
    if isinstance(value, Mapping):
        lower, upper = priors.support(checks.prior_rule(key, value))
        return p.lower <= lower and upper <= p.upper
    length = max(p.size, 1) if p.shape else 1
    listed = checks.numbers(key, value, length=length) if isinstance(value, list | tuple) else None
    values = [checks.number(key, value)] if listed is None else listed
    return all(p.lower < v < p.upper for v in values)


def values(table: Mapping[str, Any], parameters: Sequence[Parameter], rng: np.random.Generator) -> dict[str, Array]:
    """The start values the table prescribes, {parameter: shape}, distributions drawn; what it leaves open is absent."""
    prescribed: dict[str, Array] = {}
    for p in parameters:
        value = table.get(p.name)
        if isinstance(value, Mapping):
            prescribed[p.name] = priors.draw(checks.prior_rule(f"start.{p.name}", value), p.shape, rng)
        elif value is not None:
            numbers = np.asarray(value, dtype=float)
            prescribed[p.name] = numbers.reshape(p.shape) if numbers.ndim else np.full(p.shape, numbers)
    return prescribed


def inside(values: Arrays, parameters: Sequence[Parameter]) -> dict[str, Array]:
    """The values of those parameters, at least 1 % of the width away from the bounds where a support has two."""
    clipped: dict[str, Array] = {}
    for p in parameters:
        margin = 0.01 * (p.upper - p.lower)
        bounded = math.isfinite(margin)
        clipped[p.name] = np.clip(values[p.name], p.lower + margin, p.upper - margin) if bounded else values[p.name]
    return clipped

"""Each prior as a line of Stan, and what a program must be told of it: bounds and arguments are data."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bench.types import PRIORS, Dataset, Parameter, Prior

_STATEMENTS = {
    "normal": "normal({loc}, {scale})",
    "student_t": "student_t({df}, {loc}, {scale})",
    "cauchy": "cauchy({loc}, {scale})",
    "exponential": "exponential({rate})",
    "half_normal": "normal(0, {scale})",
    "half_cauchy": "cauchy(0, {scale})",
    "log_normal": "lognormal({loc}, {scale})",
}
"""A flat prior and a uniform one have none: the support of the parameter says it."""


class Site(NamedTuple):
    """What one parameter adds to a program and to its data."""

    data: tuple[str, ...]
    parameter: str
    model: str
    values: dict[str, object]


def site(p: Parameter, prior: Prior | None, statement: str = "") -> Site:
    """The site of a parameter; `statement` is its law where the model has one instead of a prior."""
    size = (f"int<lower=0> n_{p.name}",) if p.shape else ()
    values: dict[str, object] = {f"n_{p.name}": p.size} if p.shape else {}
    lines, bounds = list(size), []
    for end, value in (("lower", p.lower), ("upper", p.upper)):
        if math.isfinite(value):
            bounds.append(f"{end}={'0' if value == 0 else f'{p.name}_{end}'}")
            if value != 0:
                lines.append(f"real {p.name}_{end}")
                values[f"{p.name}_{end}"] = float(value)
    if prior is not None and prior.name in _STATEMENTS:
        names = {argument: f"{p.name}_{argument}" for argument in PRIORS[prior.name]}
        for name, value in zip(names.values(), prior.args, strict=True):
            lines.append(f"{_type(p) if isinstance(value, tuple) else 'real'} {name}")
            values[name] = np.array(value, float) if isinstance(value, tuple) else float(value)
        statement = _STATEMENTS[prior.name].format(**names)
    support = f"<{', '.join(bounds)}>" if bounds else ""
    return Site(tuple(lines), f"{_type(p, support)} {p.name}", f"{p.name} ~ {statement}" if statement else "", values)


def known(data: Dataset) -> dict[str, float]:
    """Parameters of a fixed value."""
    return {name: float(prior.args[0]) for name, prior in data.priors.items() if prior.name == "known"}


def _type(p: Parameter, bounds: str = "") -> str:
    return f"vector{bounds}[n_{p.name}]" if p.shape else f"real{bounds}"

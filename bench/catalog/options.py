"""What `-b NAME[option=value]` may set, and its validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import UsageError, shown, unknown

BUDGET_OPTIONS: Mapping[str, str] = {
    "steps": "optimiser or VI steps, instead of the budget's",
    "chains": "chains, instead of the budget's",
    "warmup": "warmup draws per chain, instead of the budget's",
    "draws": "draws per chain, instead of the budget's",
    "until": "run until every b² is below this, as --until, instead of so many draws",
}
LEAST_ERROR = 1e-6
"""Error that a fit may be asked to run until, at least: that of a million independent draws."""
LARGEST, MOST = 1e300, 10**9
"""Limits of the absolute value of a number, and of a whole number."""


@dataclass(frozen=True, slots=True)
class Option:
    """One field of a backend's `Options`: `type` is int, float, bool, str or a tuple of allowed words."""

    name: str
    type: str | tuple[Any, ...]
    default: Any
    help: str

    @property
    def allowed(self) -> str:
        """What the user may write."""
        return "one of " + ", ".join(map(str, self.type)) if isinstance(self.type, tuple) else f"a value of {self.type}"

    def validate(self, value: Any, backend: str) -> Any:
        """The value in the option's type; UsageError names backend, option, value and what is allowed."""
        number = isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST < value < LARGEST
        if isinstance(self.type, tuple):
            if any(value == word and type(value) is type(word) for word in self.type):
                return value
        elif self.type == "float" and number:
            return float(value)
        elif (
            (self.type == "int" and number and isinstance(value, int) and abs(value) <= MOST)
            or (self.type == "bool" and isinstance(value, bool))
            or (self.type == "str" and isinstance(value, str))
        ):
            return value
        raise UsageError(f"backend {backend}: option {self.name} = {shown(value)} is not allowed; {self.allowed}")


def error(name: str, value: Any, where: str = "") -> float:
    """An error b² to run until; UsageError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEAST_ERROR <= value < 1.0:
        raise UsageError(f"{where}{name} {shown(value)} is not allowed; at least {LEAST_ERROR:g} and below 1")
    return float(value)


def validated(values: Mapping[str, Any], options: Mapping[str, Option], backend: str) -> dict[str, Any]:
    """The values in the order of their names, checked; UsageError for an unknown option and a value not allowed."""
    checked = {}
    if {"draws", "until"} <= set(values):
        raise UsageError(f"backend {backend}: draws and until exclude each other; until decides how many draws")
    for name, value in sorted(values.items()):
        if name == "until":
            checked[name] = error("until", value, f"backend {backend}: ")
        elif name in BUDGET_OPTIONS:
            least = 0 if name == "warmup" else 1
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
                allowed = f"a whole number of at least {least} and at most {MOST}"
                raise UsageError(f"backend {backend}: {name} = {shown(value)} is not allowed; {allowed}")
            checked[name] = value
        elif name in options:
            checked[name] = options[name].validate(value, backend)
        else:
            raise unknown(f"option of {backend}", name, [*options, *BUDGET_OPTIONS])
    return checked

"""One contender on one task, as the user named it, and the budgets it may be given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from bench.types import Budget, Device, DType, Track, bracketed, digest_of

BUDGETS: Mapping[str, Budget] = {
    "quick": Budget("quick", chains=4, warmup=500, draws=500, steps=1000, reps=2, rounds=1, timeout=120.0),
    "standard": Budget("standard", chains=4, warmup=1000, draws=1000, steps=10_000, reps=3, rounds=5, timeout=600.0),
    "thorough": Budget("thorough", chains=4, warmup=1000, draws=4000, steps=50_000, reps=5, rounds=10, timeout=3600.0),
}
BUDGET_OPTIONS = ("steps", "chains", "warmup", "draws", "until")
"""Budget fields a user may set in a backend's brackets; they are never names of a backend's own options."""


def preset(name: str) -> dict[str, Any]:
    """What a preset says: a target is the user's."""
    return {key: value for key, value in asdict(BUDGETS[name]).items() if key != "until"}


FEWEST = 10
"""Draws of a chain before the first look at the error of a fit that runs until a target."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One contender on one task: exactly what the user named, so that `id` survives changes of code and files.

    `threads` and `options["chains"]` are absent unless named; `budget` is a preset.
    """

    scenario: str
    overrides: tuple[tuple[str, Any], ...]
    backend: str
    options: tuple[tuple[str, Any], ...]
    budget: str
    track: Track
    device: Device
    dtype: DType
    threads: int | None = None

    @property
    def id(self) -> str:
        """Twelve hex digits, the same on every machine."""
        return digest_of([getattr(self, f.name) for f in fields(self)])[:12]

    @property
    def scenario_label(self) -> str:
        """`name[k=v,…]`."""
        return bracketed(self.scenario, dict(self.overrides))

    @property
    def backend_label(self) -> str:
        """`framework.method[k=v,…]`."""
        return bracketed(self.backend, dict(self.options))

    def resolved_budget(self) -> Budget:
        """The preset with what the options change of it.

        An error `until` is first looked at after as many draws as have it when they are independent: a look before
        that could only be met by luck.
        """
        chosen: dict[str, Any] = {k: v for k, v in self.options if k in BUDGET_OPTIONS}
        budget = replace(BUDGETS[self.budget], **chosen)
        if not budget.until:
            return budget
        return replace(budget, draws=max(FEWEST, math.ceil(1.0 / (budget.until * budget.chains))))


def cell_of(values: Mapping[str, Any]) -> Cell:
    """The cell of its fields as JSON gives them, with lists where it has tuples."""
    pairs = {name: tuple((key, value) for key, value in values[name]) for name in ("overrides", "options")}
    return Cell(**{**values, **pairs})

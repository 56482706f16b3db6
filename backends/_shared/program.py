"""A method at work: what `build` has written, and what `compile` has made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.types import Budget, Dataset, Place


@dataclass
class Program:
    """`written` is a model, its text or a function; `compiled` what runs it; `data` is a skeleton, without values."""

    written: Any
    data: Dataset
    budget: Budget
    options: Any
    place: Place
    compiled: Any = None

    @property
    def ready(self) -> Any:
        """What `compile` has made, which comes before `fit`."""
        assert self.compiled is not None, "compile comes before fit"
        return self.compiled

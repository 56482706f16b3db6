"""A method on a Stan program: its text when the method is built, the extension of it once that is compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from backends.stan import runtime
from bench.types import Budget, Dataset, Place


@dataclass
class Program:
    """The Stan program, and its extension once `compile` has built it, with the object file `library` if it has one."""

    text: str
    budget: Budget
    options: Any
    place: Place
    library: Callable[[], Path] | None = None
    built: ModuleType | None = None

    @property
    def extension(self) -> ModuleType:
        """What `compile` has built."""
        assert self.built is not None, "compile comes before fit"
        return self.built


def compile(program: Program, data: Dataset) -> None:
    """Translate it to C++, compile and load that."""
    program.built = runtime.extension(program.text, program.library() if program.library else None)

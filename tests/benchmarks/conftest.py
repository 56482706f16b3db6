"""How a benchmark of this folder measures: a fresh subject for every call, as often as a few seconds allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def often(benchmark: Any) -> Callable[..., Any]:
    """Time `work` on what `make` gives, made anew outside of the clock for each of `rounds` calls; its last result."""

    def measure(
        work: Callable[..., Any], make: Callable[[], tuple[Any, ...]] = tuple, *, rounds: int = 5, warm: bool = True
    ) -> Any:
        return benchmark.pedantic(work, setup=lambda: (make(), {}), rounds=rounds, warmup_rounds=int(warm))

    return measure

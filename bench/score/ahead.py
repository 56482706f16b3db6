"""What scoring needs, imported before it is needed: beside the imports of frameworks, never beside a measurement."""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Callable, Sequence

from bench.score import pool

WORTH_IT = 40
"""Fits from which other processes are started for it, which takes them half a second."""
SCORING, ARVIZ = "bench.score.run", "arviz_stats.base.array"
IMPORTS = (
    SCORING,
    ARVIZ,
    "scipy.interpolate",
    "scipy.linalg",
    "scipy.optimize",
    "scipy.special",
    "scipy.stats",
    "vl_convert",
)
"""What scoring needs, some of it late; and what draws the report that follows."""


def prepare(fits: int, *later: str) -> Callable[[Callable[[], None]], None]:
    """Begin to import what scoring so many fits needs, and what comes `later`, for example beside frameworks' imports.

    What is returned waits for the end of it, calling its argument a few times a second: before the first fit, so that
    no import runs beside a measurement, and none is waited for after the last.
    """
    pooled = fits >= WORTH_IT and pool.start(*IMPORTS)
    here = (SCORING, *later) if pooled else (SCORING, *later, ARVIZ)
    importing = threading.Thread(target=_import, args=(here,), daemon=True)
    importing.start()

    def wait(tick: Callable[[], None]) -> None:
        while importing.is_alive():
            tick()
            importing.join(pool.WATCH_SECONDS)
        if pooled:
            pool.wait_until_ready(tick)

    return wait


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        with contextlib.suppress(ImportError):  # who needs it will say so
            importlib.import_module(module)

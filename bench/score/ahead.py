"""What scoring needs, imported before it is needed: beside the imports of frameworks, never beside a measurement."""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Callable, Sequence

from bench.measure.environment import default_threads
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
)
"""What scoring needs, some of it late."""


def prepare(fits: int, later: Sequence[str] = (), drawing: Sequence[str] = ()) -> Callable[[Callable[[], None]], None]:
    """Begin to import what scoring so many fits needs, and what comes `later`, for example beside frameworks' imports.

    `drawing` is what other processes need for that, where there are any. A module may have a function `ready`, which is
    called then: it starts what an import does not.

    What is returned waits for the end of it, calling its argument a few times a second: before the first fit, so that
    no import runs beside a measurement, and none is waited for after the last. On one CPU it begins only then, for the
    seconds of frameworks' imports are shown.
    """
    pooled = fits >= WORTH_IT and pool.start(*IMPORTS, *drawing)
    here = (SCORING, *later) if pooled else (SCORING, *later, ARVIZ)
    importing = threading.Thread(target=_import, args=(here,), daemon=True)
    if beside := default_threads() > 1:
        importing.start()

    def wait(tick: Callable[[], None]) -> None:
        if not beside:
            importing.start()
        while importing.is_alive():
            tick()
            importing.join(pool.WATCH_SECONDS)
        if pooled:
            pool.wait_until_ready(tick)

    return wait


def _import(modules: Sequence[str]) -> None:
    load(modules)
    ready(modules)


def load(modules: Sequence[str]) -> None:
    """Import them; who needs one that cannot be imported will say so."""
    for module in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)


def ready(modules: Sequence[str]) -> None:
    """Call the function `ready` of those that have one; what fails there will say so when it is used."""
    for module in modules:
        with contextlib.suppress(Exception):
            getattr(sys.modules.get(module), "ready", lambda: None)()

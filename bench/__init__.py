"""posterior-bench: how good an answer does each inference backend give, after how many seconds?

    run = bench.run("s0-uniform", ["numpyro.nuts", "torch.*"], progress=print)
    run.verdicts, run.fits, run.metrics, run.curves, run.report()

What is imported for it is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.api.comparing import Comparison, compare
    from bench.api.making import run
    from bench.api.models import model
    from bench.api.results import Page, Run, load
    from bench.errors import ScenarioError, StorageError, UsageError

__version__ = "0.1.0"
__all__ = [
    "Comparison",
    "Page",
    "Run",
    "ScenarioError",
    "StorageError",
    "UsageError",
    "compare",
    "load",
    "model",
    "run",
]
_HOMES = {
    "bench.api.comparing": ("Comparison", "compare"),
    "bench.api.making": ("run",),
    "bench.api.models": ("model",),
    "bench.api.results": ("Page", "Run", "load"),
    "bench.errors": ("ScenarioError", "StorageError", "UsageError"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return globals().setdefault(name, getattr(import_module(home), name))
    raise AttributeError(f"module 'bench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

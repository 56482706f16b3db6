"""Everything that this plugin needs of pytest-benchmark's own session, private parts included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bench.comparison.baseline import NoBaseline, Source
from bench.comparison.document import names, tables

STATS = ("min", "max", "mean", "stddev", "rounds", "median", "iqr", "q1", "q3", "ops", "total", "iterations")
"""Of what pytest-benchmark writes of a benchmark, the most important: null where there are no times."""


class ChildClock:
    """pytest-benchmark's timer: stands at 0 when a round begins and at the child's seconds when it has ended."""

    __name__ = "seconds_total"

    def __init__(self) -> None:
        self.reading = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.reading

    def give(self, benchmark: Any, cold: float, warm: Sequence[float]) -> None:
        """Have the fixture `benchmark` time these fits: the cold one as its warm-up, each warm one as a round."""
        seconds = iter([cold, *warm])

        def rewind() -> None:
            self.reading = 0.0

        def fit() -> float:
            self.reading = next(seconds)
            return self.reading

        rounds = {"rounds": len(warm), "warmup_rounds": 1} if benchmark.enabled else {}
        benchmark.pedantic(fit, setup=rewind, **rounds)


def is_disabled(config: pytest.Config) -> bool:
    """Whether --benchmark-disable asks for one call of each benchmark."""
    return bool(_session(config).disabled)


def forget_untimed(config: pytest.Config) -> None:
    """Leave failed benchmarks of saved runs, which have no times, out of pytest-benchmark's comparison."""
    for saved in (getattr(_session(config), "compared_mapping", None) or {}).values():
        for name in [n for n, entry in saved.items() if entry.get("stats", {}).get("min") is None]:
            del saved[name]


def saved_run(config: pytest.Config) -> Source | None:
    """The last file that --benchmark-compare finds, None where it was not given; NoBaseline where none is usable."""
    session = _session(config)
    if session is None or not session.compare:
        return None
    files = list(session.storage.load(*([] if session.compare is True else [session.compare])))
    if not files:
        raise NoBaseline(f"pytest-benchmark has saved none in {session.storage}; next: pytest … --benchmark-save base")
    path, content = files[-1]
    try:
        return Source(tables(content), str(path), names(content))
    except ValueError as error:
        raise NoBaseline(f"{path}: {error}") from None


def untimed_entry(item: pytest.Item, axes: Any, info: dict[str, Any]) -> dict[str, Any]:
    """A failed benchmark as pytest-benchmark writes one, without times."""
    return {
        "group": info["scenario"],
        "name": item.name,
        "fullname": item.nodeid,
        "params": dict(axes.params),
        "param": axes.id,
        "extra_info": info,
        "options": {},
        "stats": dict.fromkeys(STATS),
    }


def _session(config: pytest.Config) -> Any:
    return getattr(config, "_benchmarksession", None)

"""A pytest item per scenario × backend, and how its fits become pytest-benchmark's rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench.plan import Planned
from bench.pytest_plugin.adapter import ChildClock
from bench.pytest_plugin.facts import Result


class FitFailed(Exception):
    """A benchmark of which some fit did not finish; the message is status and reason."""


@dataclass(frozen=True)
class Axes:
    """What pytest and pytest-benchmark ask of a parametrised item."""

    id: str
    params: Mapping[str, str]
    indices: Mapping[str, int] = field(default_factory=dict)


class Made(pytest.Collector):
    """The node above items of ours; `-k` and deselection see the items only."""

    def collect(self) -> list[pytest.Item]:
        """Nothing: the session makes the items once pytest has collected its own."""
        return []


class Benchmark(pytest.Function):
    """One scenario × backend."""

    planned: Planned
    axes: Axes

    @classmethod
    def of(cls, parent: Made, name: str, planned: Planned, result: Callable[[str], Result | str]) -> Benchmark:
        """The item of a planned cell; `result` gives, once it runs, what the cell came to or why nothing did."""
        clock, cell = ChildClock(), planned.cell

        def fits(benchmark: Any) -> None:
            run(benchmark, clock, result(cell.id))

        item: Benchmark = cls.from_parent(parent, name=name, callobj=fits)
        item.planned = planned
        item.axes = Axes(name, {"scenario": cell.scenario_label, "backend": cell.backend_label, "kind": planned.kind})
        item.add_marker(pytest.mark.bench)
        item.add_marker(pytest.mark.benchmark(group=cell.scenario_label, timer=clock))
        item.extra_keyword_matches.update({planned.kind, planned.scenario.family, planned.backend.framework})
        return item

    def setup(self) -> None:
        """As a function's, with the parameters that tables can be grouped by."""
        self.callspec: Any = self.axes  # not before: pytest reorders what is parametrised
        super().setup()

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """What a failure is headed by; line 0, for pytest wants one where it says what was skipped."""
        return self.path, 0, f"benchmark {self.name}"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A fit that failed is a sentence, not a traceback of ours; its log follows."""
        if isinstance(excinfo.value, FitFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo)


def fail(why: str) -> None:
    """Inside the timed call, so that pytest-benchmark knows that there is no time."""
    raise FitFailed(why)


def run(benchmark: Any, clock: ChildClock, result: Result | str) -> None:
    """The item's test: hand the benchmark its fits, or fail, or skip what cannot run here and nobody named."""
    if isinstance(result, str):
        benchmark.pedantic(fail, args=(result,))
        return
    benchmark.extra_info.update(result.info)
    if result.status in ("unsupported", "unavailable") and not result.explicit:
        pytest.skip(result.info["reason"])
    if result.status != "ok":
        benchmark.pedantic(fail, args=(result.story,))
    clock.give(benchmark, result.cold, result.warm)

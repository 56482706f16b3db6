"""A pytest item per scenario × backend, and how its fits become pytest-benchmark's rounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bench.plan import Planned
    from bench.pytest_plugin.session import BenchSession


class FitFailed(Exception):
    """A benchmark of which some fit did not finish; the message is status and reason."""


class ChildClock:
    """pytest-benchmark's timer: stands at 0 when a round begins and at the child's seconds when it has ended."""

    __name__ = "seconds_total"

    def __init__(self) -> None:
        self.reading = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.reading


class Fits:
    """The seconds of a benchmark's fits, one per call: first of a cold fit, then of the warm ones."""

    def __init__(self, cold: float, warm: Sequence[float], clock: ChildClock) -> None:
        self._left: Iterator[float] = iter([cold, *warm])
        self._clock = clock

    def rewind(self) -> None:
        """Before a round."""
        self._clock.reading = 0.0

    def next(self) -> float:
        """One fit: the clock has moved by what the child's did."""
        self._clock.reading = next(self._left)
        return self._clock.reading


@dataclass(frozen=True)
class Axes:
    """What pytest and pytest-benchmark ask of a parametrised item."""

    id: str
    params: Mapping[str, str]
    indices: Mapping[str, int] = field(default_factory=dict)


class Benchmarks(pytest.Collector):
    """The node above the items; `-k` and deselection see the items only."""

    def collect(self) -> list[pytest.Item]:
        """Nothing: the session makes the items once pytest has collected its own."""
        return []


class Benchmark(pytest.Function):
    """One scenario × backend."""

    planned: Planned
    axes: Axes

    @classmethod
    def of(cls, parent: Benchmarks, name: str, planned: Planned, session: BenchSession) -> Benchmark:
        """The item of a planned cell."""
        clock, cell = ChildClock(), planned.cell

        def fits(benchmark: Any) -> None:
            run(benchmark, clock, session, cell.id)

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


def run(benchmark: Any, clock: ChildClock, session: BenchSession, cell: str) -> None:
    """The item's test: hand the benchmark its fits, or fail, or skip what cannot run here and nobody named."""
    result = session.result(cell)
    if isinstance(result, str):
        benchmark.pedantic(fail, args=(result,))
        return
    benchmark.extra_info.update(result.info)
    if result.status in ("unsupported", "unavailable") and not result.explicit:
        pytest.skip(result.info["reason"])
    if result.status != "ok":
        benchmark.pedantic(fail, args=(result.story,))
    fits = Fits(result.cold, result.warm, clock)
    if benchmark.enabled:
        benchmark.pedantic(fits.next, setup=fits.rewind, rounds=len(result.warm), warmup_rounds=1)
    else:
        benchmark.pedantic(fits.next, setup=fits.rewind)

"""How long a run will still take, told from its children that have ended."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.plan import Job

LEAST = 0.05
"""Seconds: what takes less, as a fit that is refused, says nothing of others by its exact value."""
SWEEPS = 4


class Remaining:
    """The seconds left of some children, of which several may be at work at once.

    A cell takes as long as it did in earlier rounds. One that has not been seen takes what its scenario and its backend
    make of all others, as factors; until every backend has ended once the sum is a lower bound, and is called that.
    """

    def __init__(self, jobs: Iterable[Job], timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._left = {(job.planned.cell.id, job.round): job for job in jobs}
        self._began: dict[tuple[str, int], float] = {}
        self._slots = 1
        self._seen: dict[str, list[float]] = defaultdict(list)
        self._cells = {job.planned.cell.id: _axes(job) for job in self._left.values()}
        self._expected: Mapping[str, float] | None = None

    def starts(self, job: Job) -> None:
        """A child begins."""
        self._began[job.planned.cell.id, job.round] = self._timer()
        self._slots = max(self._slots, len(self._began))

    def ends(self, job: Job) -> None:
        """It has ended, however."""
        key = job.planned.cell.id, job.round
        self._left.pop(key, None)
        seconds = self._timer() - self._began.pop(key, self._timer())
        self._seen[job.planned.cell.id].append(max(seconds, LEAST))
        self._expected = None  # reckoned anew when somebody looks, which is seldom among ten thousand cells

    def seconds(self) -> float | None:
        """What is left by now; None while nothing has ended."""
        if not self._seen:
            return None
        expected = self._expected = self._expected or self._of_cells()
        now = self._timer()
        spent = {key: now - began for key, began in self._began.items()}
        each = (max(expected[key[0]] - spent.get(key, 0.0), 0.0) for key in self._left)
        return sum(each) / self._slots

    def text(self) -> str:
        """`about 1:05 left`, `at least …`, or nothing while nothing is known."""
        seconds = self.seconds()
        if seconds is None:
            return ""
        sure = {self._cells[cell][1] for cell in self._seen} == {backend for _, backend in self._cells.values()}
        return f"{'about' if sure else 'at least'} {int(seconds // 60)}:{int(seconds % 60):02d} left"

    def _of_cells(self) -> Mapping[str, float]:
        """{cell: expected seconds of a child}."""
        known = {cell: fmean(map(math.log, seconds)) for cell, seconds in self._seen.items()}
        level = fmean(known.values())
        factors: tuple[dict[str, float], dict[str, float]] = ({}, {})
        for _ in range(SWEEPS):  # each axis in turn takes what the other leaves
            for axis in (1, 0):
                rest = defaultdict(list)
                for cell, value in known.items():
                    other = factors[1 - axis].get(self._cells[cell][1 - axis], 0.0)
                    rest[self._cells[cell][axis]].append(value - level - other)
                factors[axis].update({name: fmean(values) for name, values in rest.items()})
        guessed = {
            cell: math.exp(level + factors[0].get(scenario, 0.0) + factors[1].get(backend, 0.0))
            for cell, (scenario, backend) in self._cells.items()
        }
        return guessed | {cell: fmean(seconds) for cell, seconds in self._seen.items()}


def _axes(job: Job) -> tuple[str, str]:
    return job.planned.cell.scenario_label, job.planned.cell.backend_label

"""How much slots of a machine slow each other down: the same work in one of them, with none to all others busy."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from bench.errors import UsageError
from bench.measure.blocks import Lane
from bench.measure.executor import Slot
from bench.measure.job import Limits, new_child, one
from bench.plan import Job, Plan
from bench.stats.intervals import paired
from bench.types import PHASES

LEVEL = 0.95
HARMLESS = 1.05
"""Times as long as alone, up to which slots beside each other are no concern."""


class Neighbours(NamedTuple):
    """With so many slots at work a fit takes `ratio` times its seconds alone; the interval is at 95 %, over rounds."""

    slots: int
    ratio: float
    low: float
    high: float


def levels(slots: int) -> list[int]:
    """How many slots work at the same time, in turn: 2, 4, 8, … and all."""
    return sorted({*(2**k for k in range(1, slots.bit_length()) if 2**k < slots), slots} - {0, 1})


def measure(plan: Plan, slots: Sequence[Slot], folder: Path, tick: Callable[[str], None]) -> list[Neighbours]:
    """From the one cell of a plan, alone and with neighbours in each of its rounds; they take turns.

    UsageError where a fit does not end well.
    """
    counts = levels(len(slots))
    changes: dict[int, list[float]] = {count: [] for count in counts}
    stop = threading.Event()

    def look() -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        tick("")

    with ThreadPoolExecutor(len(slots)) as pool:

        def seconds(job: Job, count: int) -> float:
            """Of the first slot in turn, while count − 1 others do the same."""
            tick(f"{count} slot{'s' * (count > 1)} at work")
            turn = [slots[(job.round + i) % len(slots)] for i in range(count)]
            began = [pool.submit(_warm, job, plan, folder, slot, look) for slot in turn]
            first, *_ = [one.result() for one in began]
            return first

        try:
            for job in plan.jobs():
                order = [1, *counts] if job.round % 2 else [*counts, 1]  # a drift of the machine favours neither
                took = {count: seconds(job, count) for count in order}
                for count in counts:
                    changes[count].append(math.log(took[count] / took[1]))
        finally:
            stop.set()
    found = []
    for count, change in changes.items():
        estimate = paired(np.array(change), trim=True)
        ratio, low, high = map(math.exp, (estimate.effect, *estimate.interval(LEVEL)))
        found.append(Neighbours(count, ratio, low, high))
    return found


def _warm(job: Job, plan: Plan, folder: Path, slot: Slot, tick: Callable[[], None]) -> float:
    """Median seconds of the warm fits of a child in that slot."""
    lane = Lane(folder / new_child())
    (lane.path / lane.INNER).mkdir(parents=True)
    slot.along = folder
    records = one(job, plan, lane, Limits(), slot, tick)
    if bad := next((r for r in records if r.status != "ok"), None):
        raise UsageError(f"{job.planned.name} ended {bad.status}: {bad.reason}")
    return median(sum(r.seconds.get(p, 0.0) for p in PHASES) for r in records if not r.cold)

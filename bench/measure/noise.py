"""How disturbed a measurement was: CPU time that others took while it ran, and a small workload of known work.

Imports the standard library only: the worker looks around a fit, the runner around a child.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

STAT = Path("/proc/stat")
SHORTEST = 0.2
"""Seconds below which the kernel's ticks of 10 ms say too little about who had the CPUs."""
DISTURBED = 0.1
"""Share of the CPUs' time in other hands from which a fit is flagged."""
ROUNDS, LOOPS = 5, 20_000
AMPLE = 0.001
"""Seconds of the reference workload up to which the time limits of budgets are ample (0.00065 on a cloud's core)."""


class Ticks(NamedTuple):
    """Seconds since start-up, summed over some CPUs: not idle, and stolen by the host; and this process's own.

    Own are also those of processes it has started and seen the end of, such as a compiler.
    """

    at: float
    busy: float
    stolen: float
    own: float


class Disturbance(NamedTuple):
    """Shares of the CPUs' time in a window: what other processes of this machine took, and what its host took."""

    foreign: float
    stolen: float

    @property
    def worst(self) -> float:
        """Both together, what was not this process's to use."""
        return self.foreign + self.stolen


def look(cpus: Iterable[int]) -> Ticks | None:
    """The counters now; None where the system offers none."""
    try:
        lines = STAT.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    wanted, busy, stolen = {f"cpu{i}" for i in cpus}, 0.0, 0.0
    for line in lines:
        name, *values = line.split()
        if name in wanted:
            user, nice, system, _, _, irq, soft, steal = (int(v) for v in values[:8])
            busy += user + nice + system + irq + soft
            stolen += steal
    tick, times = os.sysconf("SC_CLK_TCK"), os.times()
    own = time.process_time() + times.children_user + times.children_system
    return Ticks(time.perf_counter(), busy / tick, stolen / tick, own)


def between(before: Ticks | None, after: Ticks | None, cpus: int) -> Disturbance | None:
    """What happened on `cpus` CPUs between two looks; None where nothing can be said."""
    if before is None or after is None or after.at - before.at < SHORTEST:
        return None
    total = (after.at - before.at) * cpus
    foreign = (after.busy - before.busy) - (after.own - before.own)
    return Disturbance(max(0.0, foreign / total), max(0.0, (after.stolen - before.stolen) / total))


@cache
def slowness() -> float:
    """By how much this machine is slower than one on which the limits of budgets are ample; at least 1, at most 10."""
    return min(10.0, max(1.0, reference_workload() / AMPLE))


def reference_workload() -> float:
    """Seconds of a fixed piece of arithmetic on one core, the best of a few tries (about 3 ms in all).

    It tells a slower clock or a crowded cache from an idle machine; compare values of one machine and Python only.
    """
    best = float("inf")
    for _ in range(ROUNDS):
        began, total = time.perf_counter(), 0.0
        for i in range(LOOPS):
            total += i * 0.5
        best = min(best, time.perf_counter() - began)
    return best

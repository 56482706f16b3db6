"""Watch a child's time, memory and output from outside, and end everything it started."""

from __future__ import annotations

import abc
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import psutil

from bench.measure import guardian, interrupts
from bench.measure.executor import End
from bench.store import logs

WATCH_SECONDS = 0.2
"""How often memory and output are looked at; the child's end is noticed at once."""
SWEEPS = 100
"""How often what carries a mark is killed before whoever forks faster than that is left alone."""


class Child(abc.ABC):
    """A started worker, leader of a process group of its own; its output goes to `log`, open for appending.

    What it starts carries its `mark`; so do the `others`, which are left alone. What has put that off is known by
    parentage: it was seen below the child, or hangs below its `reaper`, the process that adopts what the child leaves.
    `peak_rss_bytes`, known once it has ended, is its largest resident memory by the system's account, its descendants
    excepted; 0 if that is not known.
    """

    def __init__(self, pid: int, log: Path, mark: str, *others: int, reaper: int | None = None) -> None:
        self.pid, self.log, self.peak_rss_bytes = pid, log, 0
        self._mark, self._known, self._reaper = mark, {pid, *others}, reaper
        self._seen: set[psutil.Process] = set()
        if reaper is not None:  # what was there before the child
            self._known |= {process.pid for process in below(reaper)} - {process.pid for process in below(pid)}

    def resident(self) -> int:
        """Resident bytes of the child and its descendants, which are remembered."""
        total, family = 0, below(self.pid)
        self._seen.update(family)
        for process in (_process(self.pid), *family):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss if process is not None else 0
        return total

    @abc.abstractmethod
    def wait(self, seconds: float) -> bool:
        """Whether it has ended, waiting for that at most so long."""

    @abc.abstractmethod
    def code(self) -> int:
        """Its exit code, or minus the signal that ended it, once it has ended."""

    def strays(self) -> Iterator[int]:
        """Processes that it started and that are still there, itself excepted."""
        adopted = below(self._reaper) if self._reaper is not None else []
        related = (process.pid for process in {*self._seen, *adopted} if _lives(process))
        return (pid for pid in {*guardian.marked(self._mark), *related} if pid not in self._known)


def watch(child: Child, *, timeout: float, memory: int, tick: Callable[[], None], progress: Path | None = None) -> End:
    """Wait for the end of a child, or bring it about; `tick` is called while waiting. KeyboardInterrupt when asked to.

    `timeout` in seconds for the whole child, or from one growth of the file `progress` to the next; `memory` in bytes
    of resident memory over its process tree.
    """
    began, peak = time.perf_counter(), 0
    limit: Literal["", "timeout", "memory"] = ""
    since, size = began, _size(progress)
    guardian.watch_group(child.pid)
    try:
        while not child.wait(WATCH_SECONDS):
            interrupts.check()
            tick()
            logs.trim(child.log)
            peak = max(peak, child.resident())
            now, grown = time.perf_counter(), _size(progress)
            if grown > size:
                since, size = now, grown
            if now - since > timeout:
                limit = "timeout"
                break
            if peak > memory:
                limit = "memory"
                break
    finally:
        seconds = time.perf_counter() - began
        end_all(child)
        code = child.code()
        guardian.release_group(child.pid)
        logs.trim(child.log)
    return End(code, limit, seconds, max(peak, child.peak_rss_bytes))


def _size(file: Path | None) -> int:
    return file.stat().st_size if file is not None and file.is_file() else 0


def below(pid: int) -> list[psutil.Process]:
    """The descendants of a process: a worker adopts what those orphan, and its fork server what it leaves."""
    process = _process(pid)
    with contextlib.suppress(psutil.Error):
        return process.children(recursive=True) if process is not None else []
    return []


def _process(pid: int) -> psutil.Process | None:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid)
    return None


def _lives(process: psutil.Process) -> bool:
    """Whether it still runs and is not another that has its number now."""
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def end_all(child: Child) -> None:
    """Kill the child's session, then whatever left it: nothing survives its cell."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    for _ in range(SWEEPS):
        if not guardian.kill(child.strays()):
            return

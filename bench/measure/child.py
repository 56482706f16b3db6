"""Watch a child's time, memory and output from outside, and end everything it started."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Protocol

import psutil

from bench.measure import guardian, interrupts
from bench.measure.executor import End
from bench.store import logs

WATCH_SECONDS = 0.2
"""How often memory and output are looked at; the child's end is noticed at once."""
MARK = "BENCH_MARK"
"""A variable in the environment of whatever is started, inherited through every fork, exec, new session and orphanage:
processes that carry the mark of a child are the child's, wherever they hang in the process table."""
SWEEPS = 100
"""How often what carries a mark is killed before whoever forks faster than that is left alone."""


class Child(Protocol):
    """A started worker, leader of a process group of its own; its output goes to `log`, open for appending."""

    pid: int
    log: Path

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, waiting for that at most so long."""
        ...

    def code(self) -> int:
        """Its exit code, or minus the signal that ended it, once it has ended."""
        ...

    def peak_rss_bytes(self) -> int:
        """Its largest resident memory by the system's account, its descendants excepted; 0 if that is not known."""
        ...

    def strays(self) -> Iterator[int]:
        """Processes that it started and that are still there, itself excepted."""
        ...


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
            peak = max(peak, tree_rss(child.pid))
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
    return End(code, limit, seconds, max(peak, child.peak_rss_bytes()))


def _size(file: Path | None) -> int:
    return file.stat().st_size if file is not None and file.is_file() else 0


def tree_rss(pid: int) -> int:
    """Resident bytes of a process and its descendants; a worker adopts what its descendants orphan."""
    total = 0
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total


def end_all(child: Child) -> None:
    """Kill the child's session, then whatever left it: nothing survives its cell."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    for _ in range(SWEEPS):
        left = list(child.strays())
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            return


def new_mark() -> dict[str, str]:
    """The variable that marks one child and all that comes of it."""
    return {MARK: uuid.uuid4().hex}


def marked(mark: dict[str, str]) -> Iterator[int]:
    """Living processes, ours to look at, whose environment carries the mark; zombies carry none."""
    line = f"{MARK}={mark[MARK]}".encode()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if line in Path(entry.path, "environ").read_bytes():
                    yield int(entry.name)

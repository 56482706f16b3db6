"""Start a child, watch its time and memory from outside, end its whole process group."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.runner.environment import affinity, environment

WATCH_SECONDS = 0.2
"""How often memory is looked at; the child's end is noticed at once."""


@dataclass(frozen=True, slots=True)
class End:
    """How a child ended: its exit code (negative: signal), the limit that ended it, its seconds and peak memory."""

    code: int
    limit: str
    seconds: float
    peak_rss_bytes: int


def run(request: Path, log: Path, *, threads: int, timeout: float, memory: int, tick: Callable[[], None]) -> End:
    """Run `bench.worker` on a request file, its output to `log`; `tick` is called while waiting.

    `timeout` in seconds for the whole child, `memory` in bytes of resident memory over its process tree.
    """
    cpus = affinity(threads)
    began, peak, limit = time.perf_counter(), 0, ""
    with log.open("wb") as stream:
        # preexec_fn is safe here: the runner has a single thread between children, and the call only sets affinity
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", str(request)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment(threads),
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cpus),
        )
    try:
        for _ in _waiting(process):
            tick()
            peak = max(peak, tree_rss(process.pid))
            if time.perf_counter() - began > timeout:
                limit = "timeout"
                break
            if peak > memory:
                limit = "memory"
                break
    finally:
        end_group(process)
    return End(process.wait(), limit, time.perf_counter() - began, peak)


def _waiting(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Yield every WATCH_SECONDS until the process ends, which is noticed at once."""
    descriptor = os.pidfd_open(process.pid)
    try:
        while not select.select([descriptor], [], [], WATCH_SECONDS)[0]:
            yield
    finally:
        os.close(descriptor)


def tree_rss(pid: int) -> int:
    """Resident bytes of a process and its descendants."""
    total = 0
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill whatever is left of the child's session; nothing survives its cell."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

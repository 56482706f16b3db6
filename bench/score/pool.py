"""Other processes of this machine, for work that holds Python's lock: scoring and drawing. They end with this one.

They are forked from a process that has imported what they need, so that several cost one import, beside this process's
own. Nothing here runs while a fit is measured. Each has a socket of its own and shares no lock with others, so that any
of them may die or stand still at any moment: what it was at work on is then done in this process.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeVar, cast

from bench.measure.environment import environment

Item = TypeVar("Item")
Result = TypeVar("Result")

WATCH_SECONDS = 0.2
STALLED = 20.0
"""Seconds after which a process at work that has used no CPU is given up: it is stopped, or waits for what is gone."""
_workers: list[_Worker] = []
_server: list[subprocess.Popen[bytes]] = []
_refused: list[bool] = []


class Lost(Exception):
    """A worker has died, or answers no more."""


class _Worker:
    """One process and the socket to it; until it has said its `pid` that is of the process it will be forked from."""

    def __init__(self, end: socket.socket, pid: int) -> None:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            end.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", int(STALLED), 0))
        self.connection = Connection(end.detach())
        self.pid, self.forked, self.ready, self.busy = pid, False, False, False
        self._cpu, self._seen = -1, 0.0

    def send(self, task: object) -> None:
        """Give it work; Lost."""
        self._cpu, self.busy = -1, True
        try:
            self.connection.send(task)
        except OSError:
            raise Lost from None

    def receive(self) -> Any:
        """What it says; Lost."""
        try:
            return self.connection.recv()
        except (OSError, EOFError):
            raise Lost from None

    def check(self) -> None:
        """Lost where it has used no CPU for long."""
        if (cpu := _cpu_ticks(self.pid)) != self._cpu:
            self._cpu, self._seen = cpu, time.monotonic()
        elif time.monotonic() - self._seen > STALLED:
            raise Lost

    def end(self) -> None:
        """Close the socket, upon which the process ends; kill it where it may be unable to."""
        if self.forked:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.connection.close()


def start(*modules: str) -> bool:
    """Begin to import modules where the others will be forked from; does not wait for it, and does it once.

    One per CPU. False on one CPU, and where the system grants none: `each` works in this one then.
    """
    count = len(os.sched_getaffinity(0))
    if _workers or _refused or count == 1:
        return bool(_workers)
    try:
        _start(count, modules)
    except OSError:  # no process, or no file descriptor to be had
        _refused.append(True)
    return bool(_workers)


def _start(count: int, modules: Sequence[str]) -> None:
    with contextlib.ExitStack() as ends:
        pairs = [tuple(map(ends.enter_context, socket.socketpair())) for _ in range(count)]
        descriptors = [theirs.fileno() for _, theirs in pairs]
        server = subprocess.Popen(
            # -P: nothing is imported from the working folder; a session of its own: Ctrl-C is for the first to handle
            [
                sys.executable,
                "-P",
                "-m",
                "bench.score.worker",
                str(os.getpid()),
                ",".join(map(str, descriptors)),
                *modules,
            ],
            env=environment(1),  # linear algebra has one thread: there is a process per CPU
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _server.append(server)
        _workers.extend(_Worker(ours, server.pid) for ours, _ in pairs)


def wait_until_ready(tick: Callable[[], None]) -> None:
    """Wait for the end of what `start` has begun; `tick` as in `each`."""
    with _ended_by_errors():
        while any(not worker.ready for worker in _workers):
            tick()
            list(_said({}, []))


def each(
    function: Callable[[Item], Result], items: Sequence[Item], tick: Callable[[], None]
) -> Iterator[tuple[Item, Result]]:
    """Items with what the function, known by its name there, makes of them, as they are done.

    `tick` is called a few times a second; whatever it or the function raises ends the processes at once.
    """
    start()
    waiting = list(reversed(items))
    tasks: dict[_Worker, Item] = {}
    with _ended_by_errors():
        while waiting or tasks:
            tick()
            if not _workers:
                yield (item := waiting.pop()), function(item)
                continue
            for worker in [w for w in _workers if w.ready and not w.busy][: len(waiting)]:
                tasks[worker] = waiting.pop()
                with _lost(worker, tasks, waiting):
                    worker.send((function, tasks[worker]))
            for worker, value, error in _said(tasks, waiting):
                if error is not None:
                    raise error
                yield tasks.pop(worker), cast(Result, value)


@contextlib.contextmanager
def _ended_by_errors() -> Iterator[None]:
    """End all processes where the block raises anything."""
    try:
        yield
    except BaseException:
        close()
        raise


def _said(tasks: dict[_Worker, Any], waiting: list[Any]) -> Iterator[tuple[_Worker, Any, Exception | None]]:
    """What workers have made of their tasks, or the error; waits for one to speak, but not long."""
    for worker in _speaking():
        with _lost(worker, tasks, waiting):
            if worker.ready:
                value, error = worker.receive()
                worker.busy = False
                yield worker, value, error
            elif worker.forked:
                worker.ready = worker.receive()
            else:
                worker.pid, worker.forked = worker.receive(), True
    for worker in [w for w in _workers if w.busy or not w.ready]:
        with _lost(worker, tasks, waiting):
            worker.check()


@contextlib.contextmanager
def _lost(worker: _Worker, tasks: dict[_Worker, Any], waiting: list[Any]) -> Iterator[None]:
    """Where the worker is lost, put it away, and its task back."""
    try:
        yield
    except Lost:
        worker.end()
        _workers.remove(worker)
        if worker in tasks:
            waiting.append(tasks.pop(worker))
        if not _workers:
            _refused.append(True)


def _speaking() -> list[_Worker]:
    """Workers that have said something or died; waits for one, but not long."""
    by_connection = {worker.connection: worker for worker in _workers}
    return [by_connection[cast(Connection, known)] for known in wait(list(by_connection), WATCH_SECONDS)]


def _cpu_ticks(pid: int) -> int:
    """CPU time that a process has used, in the system's ticks; 0 where it is gone."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0
    return int(after_name[11]) + int(after_name[12])


@atexit.register
def close() -> None:
    """End them, at work or not."""
    _refused.clear()
    while _workers:
        _workers.pop().end()
    while _server:
        _server[-1].kill()
        _server.pop().wait()

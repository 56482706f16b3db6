"""Fork servers: a process per framework and environment that has paid the import, and children forked from it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench.cell import Cell
from bench.measure import guardian, interrupts
from bench.measure.child import marked, new_mark
from bench.measure.environment import bound, default_threads, environment
from bench.measure.fresh import FreshChild

START_SECONDS = 300.0
"""How long an import may take before children of that framework start as fresh interpreters."""
FORK_SECONDS = 60.0
"""How long a server may take to fork, or to say that a child has ended, before it counts as hanging."""


class Key(NamedTuple):
    """What a server's import depends on."""

    framework: str
    device: str
    dtype: str
    threads: int
    track: str


def key_of(cell: Cell) -> Key:
    """The server that can fork this cell's child."""
    threads = cell.threads or default_threads()
    return Key(cell.backend.partition(".")[0], cell.device, cell.dtype, threads, cell.track)


class Server:
    """One `python -m bench.measure.forkserver`."""

    def __init__(self, key: Key, methods: Iterable[str], code: Path | None) -> None:
        self._mark = new_mark()
        with bound(key.threads):
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "bench.measure.forkserver", *map(str, key), *methods],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**environment(key.threads, code), **self._mark, "BENCH_RUNNER": str(os.getpid())},
                start_new_session=True,
            )
        guardian.watch_group(self._process.pid)
        self._buffer = b""

    def hear(self, seconds: float) -> dict[str, Any] | None:
        """The next thing it says; None when it says nothing for so long, EOFError when it is gone."""
        assert self._process.stdout is not None
        deadline, descriptor = time.monotonic() + seconds, self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            block = os.read(descriptor, 4096)
            if not block:
                raise EOFError("the fork server is gone")
            self._buffer += block
        line, _, self._buffer = self._buffer.partition(b"\n")
        return dict(json.loads(line))

    def fork(self, request: dict[str, Any]) -> ForkedChild | None:
        """A child at work on the request; None if there is no having one."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            answer = self.hear(FORK_SECONDS)
        except (EOFError, OSError):
            return None
        return ForkedChild(self, answer["pid"], Path(request["log"])) if answer else None

    def descendants(self) -> Iterator[int]:
        """Living processes that came of it, itself excepted."""
        return (pid for pid in marked(self._mark) if pid != self._process.pid)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        guardian.release_group(self._process.pid)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


class ForkedChild:
    """A child forked by a server, which tells how it ended; a `Child`."""

    def __init__(self, server: Server, pid: int, log: Path) -> None:
        self.pid, self.log, self._server = pid, log, server
        self._code: int | None = None
        self._peak = 0

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, waiting for that at most so long."""
        if self._code is None:
            try:
                answer = self._server.hear(seconds)
            except EOFError:
                answer = {"code": -signal.SIGKILL}  # whatever ended the server, its child dies with it by this
            if answer is not None:
                self._code, self._peak = int(answer["code"]), int(answer.get("peak_rss_bytes", 0))
        return self._code is not None

    def code(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        if not self.wait(FORK_SECONDS):
            self._server.close()  # it was stopped or hangs, and its child has been killed
            self._code = -signal.SIGKILL
        assert self._code is not None
        return self._code

    def peak_rss_bytes(self) -> int:
        """Its largest resident memory by the system's account, its descendants excepted; 0 if the server is gone."""
        return self._peak

    def strays(self) -> Iterator[int]:
        """Processes that it started and that are still there, itself excepted."""
        return (pid for pid in self._server.descendants() if pid != self.pid)


class Servers:
    """The servers of a run, started before its first fit so that no import runs beside a measurement.

    `code` is the checkout that children run, instead of this process's own.
    """

    def __init__(self, code: Path | None = None) -> None:
        self._code = code
        self._up: dict[Key, Server] = {}
        self._seconds: dict[Key, float] = {}
        self._waited = 0.0

    def start(self, cells: Iterable[Cell], tick: Callable[[str], None]) -> None:
        """Import every framework that the cells need, as many at a time as there are CPUs.

        `tick` is told what is being imported, a few times a second. One that cannot be imported has no server: its
        children start as fresh interpreters and say in their own records what is wrong.
        """
        wanted: dict[Key, set[str]] = {}
        for cell in cells:
            wanted.setdefault(key_of(cell), set()).add(cell.backend)
        self.start_keys(wanted, tick)

    def start_keys(self, wanted: Mapping[Key, set[str]], tick: Callable[[str], None]) -> None:
        """`start` for what is known already: {key: modules of its framework}."""
        waiting = iter(sorted(wanted.items()))
        starting: dict[Key, tuple[Server, float]] = {}
        began = time.perf_counter()
        try:
            self._start(waiting, starting, tick)
        finally:
            self._waited += time.perf_counter() - began
            for server, _ in starting.values():
                server.close()

    def _start(
        self,
        waiting: Iterator[tuple[Key, set[str]]],
        starting: dict[Key, tuple[Server, float]],
        tick: Callable[[str], None],
    ) -> None:
        """Work off `waiting`; what is in `starting` at the end has not come up."""
        while True:
            interrupts.check()
            for key, methods in _some(waiting, default_threads() - len(starting)):
                starting[key] = Server(key, sorted(methods), self._code), time.monotonic() + START_SECONDS
            if not starting:
                return
            for key, (server, deadline) in list(starting.items()):
                tick(key.framework)
                try:
                    said = server.hear(0.02)
                except EOFError:
                    said, deadline = None, 0.0
                if said is not None:
                    self._up[key] = server
                    self._seconds[key] = float(said["import"])
                elif time.monotonic() > deadline:
                    server.close()
                else:
                    continue
                del starting[key]

    def child(self, key: Key, request: Path, log: Path, *, module: str = "") -> ForkedChild | FreshChild:
        """A child for what its import depends on, forked where there is a server for that.

        `module`: what answers the request (its `answer`, or started as a program), instead of a worker.
        """
        server = self._up.get(key)
        if server is not None:
            log.write_bytes(b"")
            asked = json.loads(request.read_text()) | {"log": str(log.resolve())}
            forked = server.fork(asked | ({"module": module} if module else {}))
            if forked is not None:
                return forked
            self._up.pop(key).close()
        return FreshChild(request, log, threads=key.threads, code=self._code, module=module or "bench.measure.worker")

    def imports(self) -> dict[str, Any]:
        """What was imported for which cells, `each` in how many seconds; and how long all took, some side by side."""
        each = [{**key._asdict(), "seconds": seconds} for key, seconds in sorted(self._seconds.items())]
        return {"seconds": self._waited, "each": each}

    @property
    def keys(self) -> set[Key]:
        """Those that are up."""
        return set(self._up)

    def keep(self, keys: set[Key]) -> None:
        """End the others."""
        for key in self.keys - keys:
            self._up.pop(key).close()

    def close(self) -> None:
        """End all of them."""
        for server in self._up.values():
            server.close()
        self._up.clear()

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _some(items: Iterator[tuple[Key, set[str]]], count: int) -> Iterator[tuple[Key, set[str]]]:
    for _ in range(max(0, count)):
        try:
            yield next(items)
        except StopIteration:
            return

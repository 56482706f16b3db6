"""Fork servers: a process per framework and environment that has paid the import, and children forked from it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.measure import guardian, interrupts
from bench.measure.child import marked, new_mark
from bench.measure.environment import default_threads, start
from bench.measure.executor import Needs

START_SECONDS = 300.0
"""How long an import may take before children of that framework start as fresh interpreters."""
FORK_SECONDS = 60.0
"""How long a server may take to fork, or to say that a child has ended, before it counts as hanging."""


class Server:
    """One `python -m bench.measure.forkserver`."""

    def __init__(self, needs: Needs, modules: Iterable[str], code: Path | None) -> None:
        self._mark, threads = new_mark(), needs.threads or default_threads()
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        variables, what = {**self._mark, "BENCH_RUNNER": str(os.getpid())}, [*map(str, needs), *modules]
        self._process = start("bench.measure.forkserver", *what, threads=threads, mark=variables, code=code, **pipes)
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

    def fork(self, request: Mapping[str, Any]) -> ForkedChild | None:
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
        self._up: dict[Needs, Server] = {}
        self._seconds: dict[Needs, float] = {}
        self._waited = 0.0

    def start(self, wanted: Mapping[Needs, set[str]], tick: Callable[[str], None]) -> None:
        """Import {needs: modules of its framework}, as many at a time as there are CPUs.

        `tick` is told what is being imported, a few times a second. What cannot be imported has no server.
        """
        waiting = sorted(wanted.items())
        starting: dict[Needs, tuple[Server, float]] = {}
        began = time.perf_counter()
        try:
            while waiting or starting:
                interrupts.check()
                while waiting and len(starting) < default_threads():
                    needs, modules = waiting.pop(0)
                    starting[needs] = Server(needs, sorted(modules), self._code), time.monotonic() + START_SECONDS
                for needs, (server, deadline) in list(starting.items()):
                    tick(needs.framework)
                    if self._has_started(needs, server, deadline):
                        del starting[needs]
        finally:
            self._waited += time.perf_counter() - began
            for server, _ in starting.values():
                server.close()

    def _has_started(self, needs: Needs, server: Server, deadline: float) -> bool:
        """Whether it has imported, or will not and has been ended."""
        try:
            answer = server.hear(0.02)
        except EOFError:
            answer, deadline = None, 0.0
        if answer is not None:
            self._up[needs] = server
            self._seconds[needs] = float(answer["import"])
            return True
        if time.monotonic() > deadline:
            server.close()
            return True
        return False

    def fork(self, needs: Needs, request: Mapping[str, Any], log: Path) -> ForkedChild | None:
        """A child at work on the request; None where there is no server for its needs, or it has just gone."""
        server = self._up.get(needs)
        if server is None:
            return None
        log.write_bytes(b"")
        forked = server.fork(request)
        if forked is None:
            self._up.pop(needs).close()
        return forked

    def imports(self) -> dict[str, Any]:
        """What was imported for which cells, `each` in how many seconds; and how long all took, some side by side."""
        each = [{**needs._asdict(), "seconds": seconds} for needs, seconds in sorted(self._seconds.items())]
        return {"seconds": self._waited, "each": each}

    @property
    def keys(self) -> set[Needs]:
        """Those that are up."""
        return set(self._up)

    def keep(self, kept: set[Needs]) -> None:
        """End the others."""
        for needs in self.keys - kept:
            self._up.pop(needs).close()

    def close(self) -> None:
        """End all of them."""
        self.keep(set())

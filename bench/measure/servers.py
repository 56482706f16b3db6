"""A fork server: a process of a framework and environment that has paid the import, and children forked from it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.measure import guardian
from bench.measure.child import Child
from bench.measure.environment import FAMILIES, TURN, default_threads, new_mark, start
from bench.measure.executor import Needs

FORK_SECONDS = 60.0
"""How long a server may take to fork, or to say that a child has ended, before it counts as hanging."""


class Server:
    """One `python -m bench.measure.forkserver`."""

    def __init__(self, needs: Needs, names: Iterable[str], code: Path | None) -> None:
        """`names` are those of methods, which have a dot, and of families."""
        self._mark, threads, names = new_mark(), needs.threads or default_threads(), list(names)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        what = [*map(str, needs), *(name for name in names if "." in name)]
        waiting, self._turn = os.pipe()
        try:
            self._process = start(
                "bench.measure.forkserver",
                *what,
                framework=needs.framework,
                threads=threads,
                mark=self._mark,
                code=code,
                told={TURN: str(waiting), FAMILIES: " ".join(name for name in names if "." not in name)},
                pass_fds=(waiting,),
                **pipes,
            )
        except BaseException:
            os.close(self._turn)
            raise
        finally:
            os.close(waiting)
        guardian.watch_group(self._process.pid)
        self._buffer = b""
        self.since = 0.0
        """When it was told to import, by the monotonic clock; 0 before."""

    def tell(self) -> None:
        """Let it import, if that has not been said: it has started, and waits for this."""
        if not self.since:
            os.close(self._turn)
            self.since = time.monotonic()

    def hear(self, seconds: float) -> dict[str, Any] | None:
        """Its next answer; None where there is none within so many seconds, EOFError when it is gone."""
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
        """A child at work on the request; None where the server cannot fork any more."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            answer = self.hear(FORK_SECONDS)
        except (EOFError, OSError):
            return None
        if not answer:
            return None
        return ForkedChild(self, answer["pid"], Path(request["log"]), self._mark, self._process.pid)

    def kill(self) -> None:
        """Begin to end it."""
        self._process.kill()

    def close(self) -> None:
        """End it."""
        self.kill()
        self.tell()
        self._process.wait()
        guardian.release_group(self._process.pid)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


class ForkedChild(Child):
    """A child forked by a server, which tells how it ended."""

    def __init__(self, server: Server, pid: int, log: Path, mark: str, server_pid: int) -> None:
        super().__init__(pid, log, mark, server_pid, reaper=server_pid)
        self._server = server
        self._code: int | None = None

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, waiting for that at most so long."""
        if self._code is None:
            try:
                answer = self._server.hear(seconds)
            except EOFError:
                answer = {"code": -signal.SIGKILL}  # whatever ended the server, its child is killed with it
            if answer is not None:
                self._code, self.peak_rss_bytes = int(answer["code"]), int(answer.get("peak_rss_bytes", 0))
        return self._code is not None

    def code(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        if not self.wait(FORK_SECONDS):
            self._server.close()  # it was stopped or hangs, and its child has been killed
            self._code = -signal.SIGKILL
        assert self._code is not None
        return self._code

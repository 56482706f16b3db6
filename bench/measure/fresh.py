"""A child that is an interpreter of its own."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.measure.child import marked, new_mark
from bench.measure.environment import start


class FreshChild:
    """`python -m bench.measure.worker` (or another module) on a request file, its output to a log; a `Child`.

    `code` is the checkout it runs, instead of this process's own.
    """

    def __init__(
        self, request: Path, log: Path, *, threads: int, module: str = "bench.measure.worker", code: Path | None = None
    ) -> None:
        self.log, self._mark, self._peak = log, new_mark(), 0
        log.unlink(missing_ok=True)
        output = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        with log.open("ab") as stream:  # appending: the log may be cut while it is written
            self._process = start(
                module, str(request), threads=threads, mark=self._mark, code=code, stdout=stream, **output
            )
        self.pid = self._process.pid
        self._descriptor = os.pidfd_open(self.pid)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, waiting for that at most so long."""
        return bool(select.select([self._descriptor], [], [], seconds)[0])

    def code(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        if self._process.returncode is None:
            os.close(self._descriptor)
            _, status, usage = os.wait4(self.pid, 0)
            self._process.returncode = os.waitstatus_to_exitcode(status)
            self._peak = usage.ru_maxrss * 1024
        return self._process.returncode

    def peak_rss_bytes(self) -> int:
        """Its largest resident memory by the system's account, its descendants excepted."""
        return self._peak

    def strays(self) -> Iterator[int]:
        """Processes that it started and that are still there, itself excepted."""
        return (pid for pid in marked(self._mark) if pid != self.pid)

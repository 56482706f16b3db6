"""A child that is an interpreter of its own."""

from __future__ import annotations

import os
import select
import subprocess
from pathlib import Path

from bench.measure.child import Child
from bench.measure.environment import new_mark, start


class FreshChild(Child):
    """`python -m bench.measure.worker` (or another module) on a request file, its output to a log.

    It runs in the environment of the framework; `code` is the checkout it runs, instead of this process's own.
    """

    def __init__(
        self,
        request: Path,
        log: Path,
        *,
        framework: str,
        threads: int,
        module: str = "bench.measure.worker",
        code: Path | None = None,
    ) -> None:
        mark = new_mark()
        log.unlink(missing_ok=True)
        with log.open("ab") as stream:  # appending: the log may be cut while it is written
            self._process = start(
                module,
                str(request),
                framework=framework,
                threads=threads,
                mark=mark,
                code=code,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        super().__init__(self._process.pid, log, mark)
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
            self.peak_rss_bytes = usage.ru_maxrss * 1024
        return self._process.returncode

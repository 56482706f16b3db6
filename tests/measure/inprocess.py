"""An executor that does the work in this process, for tests that need fits and no processes; and a clock for it.

A contender that ends its process, waits to be stopped or needs an environment variable before its import cannot be
tried so. `monkeypatch.setattr(bench.measure.local, "Local", InProcess)` puts it under every verb.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from bench.measure import interrupts
from bench.measure.contender import Contender
from bench.measure.environment import default_threads
from bench.measure.executor import MEASURED, WORKERS, End, Needs, Request

_AT_WORK = threading.Lock()


class InProcess:
    """An `Executor` whose children are calls, one at a time; `requests` are those that it was given."""

    def __init__(self, code: Path | None = None) -> None:
        assert code is None, "another checkout needs processes of its own"
        self.requests: list[Request] = []
        self.prepared: set[Needs] = set()

    def prepare(self, wanted: Mapping[Needs, set[str]], tick: Callable[[str], None]) -> None:
        """Only note it: modules are imported once per process anyway."""
        self.prepared |= set(wanted)
        for needs in wanted:
            tick(needs.framework)

    def keep(self, needs: set[Needs]) -> None:
        """Forget the others."""
        self.prepared &= needs

    def slowness(self) -> float:
        """Limits are those of an ample machine."""
        return 1.0

    def imports(self) -> dict[str, Any]:
        """Nothing was waited for."""
        return {"seconds": 0.0, "each": []}

    def submit(self, request: Request, into: Path, tick: Callable[[], None]) -> End:
        """Do the work here, its output in a log as a child's would be; an exception is an exit code of 1.

        In another thread than the main one, which has output of its own meanwhile, nothing is in the log.
        """
        interrupts.check()
        tick()
        self.requests.append(request)
        log, code = into / f"{request.name}.log", 0
        content = {"threads": request.needs.threads or default_threads(), "folder": str(into), "log": str(log)}
        with _AT_WORK:
            environment = dict(os.environ)
            with log.open("w") as stream, contextlib.ExitStack() as redirected:
                if threading.current_thread() is threading.main_thread():
                    redirected.enter_context(contextlib.redirect_stdout(stream))
                    redirected.enter_context(contextlib.redirect_stderr(stream))
                try:
                    importlib.import_module(WORKERS[request.work]).answer({**request.task, **content})
                except SystemExit as left:
                    code = left.code if isinstance(left.code, int) else 1
            for name in os.environ.keys() - environment.keys():
                del os.environ[name]
            os.environ.update(environment)
        output = log.read_bytes()
        log.unlink()
        if request.log:
            (into / request.log).write_bytes(output)
        started: Literal["fresh", "forked"] = "forked" if request.needs in self.prepared else "fresh"
        measured: dict[str, Any] = {"load_average": 0.0, "reference_seconds": (0.01, 0.01)}
        return End(code, "", 0.1, 2**20, output, started, **(measured if request.work in MEASURED else {}))

    def close(self) -> None:
        """Nothing to end."""

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FakeClock:
    """Time that passes only when somebody sleeps: seconds of fits are then what a fake contender slept."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@contextlib.contextmanager
def still_time() -> Iterator[FakeClock]:
    """Every contender's clock reads a `FakeClock`, which `time.sleep` moves."""
    with pytest.MonkeyPatch.context() as patch:
        clock = FakeClock()
        patch.setattr(Contender, "timer", staticmethod(clock))
        patch.setattr("time.sleep", clock.sleep)
        yield clock

"""What every child is started with: threads, affinity, and nothing left to a library's guess."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.catalog.environments import interpreter, packages
from bench.catalog.places import root
from bench.measure.guardian import MARK
from bench.offered import spelled

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

TURN, FAMILIES = "BENCH_TURN", "BENCH_FAMILY_NAMES"
"""What a fork server is told by its environment: see `bench.measure.forkserver`."""


def default_threads() -> int:
    """The CPUs this process may use."""
    return len(os.sched_getaffinity(0))


def affinity(threads: int) -> set[int]:
    """The CPUs a child is bound to: XLA heeds no variable, only this."""
    return set(sorted(os.sched_getaffinity(0))[:threads])


def new_mark() -> str:
    """What marks one child and all that comes of it."""
    return uuid.uuid4().hex


@contextmanager
def bound(threads: int) -> Iterator[None]:
    """Bind this thread while it starts a child, which inherits that; a hook between fork and exec would be no safer."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, affinity(threads))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def start(
    module: str,
    *args: str,
    framework: str,
    threads: int,
    mark: str,
    code: Path | None,
    told: Mapping[str, str] | None = None,
    **streams: Any,
) -> subprocess.Popen[bytes]:
    """Run a module in the framework's interpreter and a session of its own, all that comes of it marked.

    See `guardian.MARK`; `told` are more variables.
    """
    with bound(threads):
        return subprocess.Popen(
            [interpreter(framework), "-P", "-m", module, *args],  # -P: nothing is imported from the working folder
            env={
                **environment(threads, code or packages(framework)),
                MARK: mark,
                "BENCH_RUNNER": str(os.getpid()),
                **(told or {}),
            },
            start_new_session=True,
            **streams,
        )


def environment(threads: int, code: Path | None = None) -> dict[str, str]:
    """Variables of a child, the same for every framework; the framework's own are set by the worker before import.

    `code` is the folder whose packages `bench`, `backends` and `scenarios` it imports, instead of this process's own.
    """
    paths = [str(code or root()), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        **spelled(),
        **{name: str(threads) for name in THREAD_VARIABLES},
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "PYTHONHASHSEED": "0",
    }

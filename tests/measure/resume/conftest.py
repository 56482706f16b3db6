"""Runs that are started in the background, killed and resumed, with contenders that take no time."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import psutil
import pytest

from tests import in_process
from tests.conftest import FAKES, ROOT
from tests.measure.inprocess import InProcess

CONTENDERS = "fake.exact[sleep=[0.05,0.1],draws=100]"
SELECTION = ("-s", "correlated-rho95", "-b", CONTENDERS, "--reps", "2", "--rounds", "2")
"""4 children of two fits each, which sleep for a quarter of a second and compute for milliseconds."""
FITS = 8
TIMES = ("run", "position", "measured_at", "load_average", "disturbance", "reference_seconds", "peak_rss_bytes",
         "os_threads", "attempt", "started", "notes")  # fmt: skip


class Place:
    """A folder with results in it, a temporary folder of its own, and whatever was started there."""

    executor: type[InProcess] = InProcess

    def __init__(self, path: Path) -> None:
        self.path, self.tmp = path, path / "tmp"
        self.tmp.mkdir()
        self.env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.tmp), "COLUMNS": "200",
                    "BENCH_BACKENDS": str(FAKES)}  # fmt: skip
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *args: str) -> subprocess.Popen[str]:
        # a suite that runs in the background of a shell ignores Ctrl-C, and so would its children
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "bench", *args],
                cwd=self.path,
                env=self.env,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        finally:
            signal.signal(signal.SIGINT, before)
        self.started.append(process)
        return process

    def bench(self, *args: str, code: int = 0) -> str:
        """The command with its fits in this process; its temporary files are this process's."""
        variables = {name: value for name, value in self.env.items() if name != "TMPDIR"}
        with mock.patch("bench.measure.local.Local", self.executor):
            return said(in_process.run(*args, cwd=self.path, variables=variables), code)

    def process(self, *args: str, code: int = 0) -> str:
        """The command in a process of its own, whose temporary files are in this place."""
        process = self.start(*args)
        out, err = process.communicate(timeout=300)
        return said(in_process.Outcome(process.returncode, out, err), code)

    @property
    def run(self) -> Path:
        return self.path / "results" / "r"

    def finished(self) -> set[str]:
        """Names of the fits whose record can be read and is ok."""
        found = set()
        for file in self.run.glob("fits/[!.]*/record.json"):
            record = json.loads(file.read_text())
            if record["status"] == "ok":
                assert (file.parent / "draws.npz").is_file() or (file.parent / "draws.nc").is_file()
                found.add(file.parent.name)
        return found

    def left_running(self) -> list[str]:
        """Command lines of what works in this folder, and of guardians (which work nowhere)."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.pid != os.getpid() and process.environ().get("TMPDIR") == str(self.tmp):
                    found.append(" ".join(process.cmdline()))
        return found

    def wait_for(self, condition: Callable[[], Any], seconds: float = 60.0) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "what was waited for did not happen"
            time.sleep(0.02)

    def quiet(self) -> None:
        """Nothing runs and no temporary folder is left, at the latest soon."""
        self.wait_for(lambda: not self.left_running())
        assert [f.name for f in self.tmp.iterdir() if f.name.startswith("bench-")] == []

    def clear(self) -> None:
        shutil.rmtree(self.path / "results", ignore_errors=True)


def said(done: in_process.Outcome, code: int) -> str:
    """What a command printed, when it ended with this exit code."""
    assert done.code == code, f"{done.code}: {done.out[-2000:]}\n{done.err[-2000:]}"
    assert "Traceback" not in done.err
    return done.out + done.err


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables of SELECTION when nothing happens, its fits made in this process."""
    place = Place(tmp_path_factory.mktemp("undisturbed"))
    place.bench("run", *SELECTION, "--name", "r")
    return tables(place.run)


def tables(run: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fits and metrics of a run without what depends on the clock or on the order."""
    fits = pd.read_parquet(run / "fits.parquet")
    fits = fits[[c for c in fits.columns if not c.startswith("seconds") and c not in TIMES]]
    metrics = pd.read_parquet(run / "metrics.parquet").drop(columns="run")
    timed = metrics.metric.str.contains("second|time_to|roofline")
    assert (~timed).sum() > 100
    return fits, metrics[~timed].reset_index(drop=True)


def same(a: tuple[pd.DataFrame, pd.DataFrame], b: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    for mine, other in zip(a, b, strict=True):
        pd.testing.assert_frame_equal(mine, other, check_exact=True)

"""Slots in processes of their own, on what passes for two machines: killed workers, scheduler and leader."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest

from bench.errors import ClusterError
from bench.measure import run
from bench.measure.job import Limits
from bench.plan import Choice, make
from bench.store.folder import RunFolder
from tests.measure.resume import victims
from tests.measure.resume.conftest import CONTENDERS, FITS, tables
from tests.measure.test_executor import Quiet

pytest.importorskip("distributed", reason="not installed: pip install 'posterior-bench[dask]'")

from bench.measure.cluster import opening, scheduler, slot

pytestmark = pytest.mark.slow

SECONDS = 240.0
"""What is waited for takes 10 s on two free cores."""
SELECTION = ("-s", "correlated-rho95", "-b", CONTENDERS, "--reps", "2", "--rounds", "2")


class Engine:
    """A scheduler, and workers of one thread each that say they are on machines of these names."""

    def __init__(self, place, *hosts):
        self.place, self.file = place, place.path / f"scheduler-{time.monotonic_ns()}.json"
        self.processes = [self._start("scheduler", "--scheduler-file", str(self.file), "--port", "0", "--no-dashboard",
                                      "--host", "127.0.0.1")]  # fmt: skip
        place.wait_for(lambda: self.file.is_file() and self.file.read_text().strip(), SECONDS)
        self.address = json.loads(self.file.read_text())["address"]
        for host in hosts:
            arguments = (
                "worker",
                self.address,
                "--nthreads",
                "1",
                "--no-nanny",
                "--no-dashboard",
                "--memory-limit",
                "0",
            )
            self.processes.append(self._start(*arguments, "--death-timeout", "5", BENCH_HOST=host))

    def _start(self, *arguments, **variables):
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            env={**self.place.env, **variables}, cwd=self.place.path,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.place.started.append(process)
        return process

    def kill(self, which):
        self.processes[which].kill()
        self.processes[which].wait()


@pytest.fixture
def engine(place):
    made = []

    def start(*hosts):
        made.append(Engine(place, *hosts))
        return made[-1]

    yield start
    for one in made:
        for process in one.processes:
            process.kill()
            process.wait()


def test_a_scheduler_that_dies_ends_the_run_and_another_makes_the_rest(place, engine, undisturbed):
    first = engine("one", "two")
    process = place.start("run", *SELECTION, "--name", "r", "--executor", first.address)
    place.wait_for(lambda: len(place.finished()) >= 2 or process.poll() is not None, SECONDS)
    first.kill(0)
    _, err = process.communicate(timeout=SECONDS)
    known = place.finished()
    assert process.returncode == 3 and "Traceback" not in err, err
    assert "the scheduler is gone" in err and "run --resume results/r" in err
    second = engine("one", "two")
    out = place.process("run", "--resume", "results/r", "--executor", second.address)
    assert known <= place.finished() and len(place.finished()) == FITS, out
    made, plain = tables(place.run), undisturbed
    own = ["host", "slot", "threads"]
    pd.testing.assert_frame_equal(made[0].drop(columns=own), plain[0].drop(columns=own), check_exact=True)
    errors = [one[1][one[1].metric.str.startswith("b2")].reset_index(drop=True) for one in (made, plain)]
    pd.testing.assert_frame_equal(*errors, rtol=1e-9)  # sums in another order, where other threads made them
    assert pd.read_parquet(place.run / "fits.parquet").host.nunique() <= 2


def test_a_scheduler_that_is_frozen_ends_the_run_with_a_sentence(place, engine, fakes, monkeypatch):
    monkeypatch.setattr("bench.measure.cluster.cluster.RENEW_SECONDS", 0.2)
    monkeypatch.setattr(scheduler, "SILENT_SECONDS", 1.0)  # of 30
    monkeypatch.setattr(slot, "RELEASE_SECONDS", 1.0)
    monkeypatch.setattr(opening, "CLOSE_SECONDS", 1.0)
    cluster = engine("one")
    plan = make(Choice(scenarios=["correlated-rho95"], backends=["fake.exact[sleep=[2.0,3.0]]"], reps=1, rounds=1))
    folder = RunFolder.create(place.path / "results", "r")

    class Watcher(Quiet):
        def ends(self, *_):
            cluster.processes[0].send_signal(signal.SIGSTOP)

    with opening.opened(cluster.address, plan, 1, None, say=str, tick=str) as slots:
        with pytest.raises(ClusterError, match="the scheduler has not answered for 1 s"):
            run.execute(plan, folder, Limits(), Watcher(), slots)
        assert len(place.finished()) == 1, "the other may have ended, which nobody could hear"


def test_a_slot_of_this_machine_that_is_killed_while_it_starts_is_started_again():
    engine = opening._local(1, 1)
    try:
        killed, until = set(), time.monotonic() + SECONDS
        while not (there := engine.scheduler_info["workers"]) and time.monotonic() < until:
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if not killed and "spawn_main" in " ".join(process.cmdline()):
                        process.kill()
                        killed.add(process.pid)
            time.sleep(0.02)
        assert killed and len(there) == 1
    finally:
        engine.close()


def test_a_lost_machine_and_a_leader_that_is_killed_lose_nothing(place, engine):
    cluster = engine("one", "two")
    process = place.start("run", *SELECTION[:-1], "4", "--name", "r", "--executor", cluster.address)
    place.wait_for(lambda: len(place.finished()) >= 2 or process.poll() is not None, SECONDS)
    cluster.kill(1)
    place.wait_for(lambda: len(place.finished()) >= 6 or process.poll() is not None, SECONDS)
    known = place.finished()
    process.kill()
    process.communicate()
    place.wait_for(lambda: not any("bench.measure" in line for line in place.left_running()), SECONDS)  # the lease ends
    place.process("run", "--resume", "results/r")
    assert known <= place.finished() and len(place.finished()) == 2 * FITS
    report = (place.run / "report.md").read_text()
    hosts = pd.read_parquet(place.run / "fits.parquet").host.nunique()
    assert hosts == 1 or "Fits were made on 2 machines" in report


def test_four_kills_of_any_process_of_a_run_in_slots_lose_nothing(place):
    """`python -m tests.benchmarks.studies.kills 200 1 --executor dask` makes many."""
    assert victims.kill_any(place, 4, 2, "--executor", "dask").total() == 4

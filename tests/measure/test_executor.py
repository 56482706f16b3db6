"""Requests are plain values, and every verb's work goes through the one seam."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import asdict

import pytest

from bench.calibration import study
from bench.catalog.backends import backend
from bench.catalog.scenarios import scenario
from bench.check import backend as of_backend
from bench.measure import local, run
from bench.measure.executor import End, Needs
from bench.measure.job import Limits
from bench.plan import Choice, make
from bench.store.folder import CalibrationFolder, RunFolder
from bench.verify import gate
from bench.verify.outcome import Pair
from tests.measure.inprocess import InProcess, still_time

SCENARIO = "correlated-rho95"


class Quiet:
    """A watcher that keeps what it is told."""

    def __init__(self):
        self.said = []

    def __getattr__(self, name):
        return lambda *given: self.said.append((name, *given))


@pytest.fixture
def executor(fakes, monkeypatch):
    executor = InProcess()
    monkeypatch.setattr(local, "Local", lambda code=None: executor)
    return executor


def test_a_run_makes_every_record_and_asks_for_nothing_of_this_machine(executor, tmp_path):
    plan = make(Choice(scenarios=[SCENARIO], backends=["fake.exact", "fake.exact[sleep=0.5]"], reps=2, rounds=2))
    folder = RunFolder.create(tmp_path, "r")
    with still_time():
        assert run.execute(plan, folder, Limits(memory=10**9, reuse=True), Quiet(), executor)
    records = [folder.record(p.cell.id, rep) for p in plan.cells for rep in range(4)]
    assert {r.status for r in records} == {"ok"} and [r.cold for r in records] == [True, False] * 4
    slept = [r.seconds["sample"] for r in records[4:]]
    assert slept == pytest.approx([0.5] * 4)
    assert len(executor.requests) == 4 == len(folder.children.entries())
    assert not [p for p in folder.path.rglob(".*")]
    everything_is_portable(executor, tmp_path)


def test_a_gate_refuses_and_a_child_that_leaves_nothing_is_a_crash(executor, tmp_path, monkeypatch):
    plan = make(Choice(scenarios=[SCENARIO], backends=["fake.exact", "fake.instrument"], reps=2, rounds=1))
    folder = RunFolder.create(tmp_path, "r")
    monkeypatch.setattr(executor, "submit", lambda *given: End(7, "", 1.5, 2**20, b"last words"))
    bad, good = (p.cell.id for p in plan.cells)
    assert run.execute(plan, folder, Limits(), Quiet(), executor, lambda: {bad: "wrong target"})
    refused, crashed = folder.record(bad, 1), folder.record(good, 1)
    assert (refused.status, refused.reason) == ("invalid", "wrong target")
    why = "left with exit code 7 after 1.5 s without a result; its last words: last words"
    assert (crashed.status, crashed.reason) == ("crashed", why)
    assert (crashed.exit_code, crashed.log_tail, crashed.peak_rss_bytes) == (7, "last words", 2**20)


def test_a_contender_that_removes_every_fit_costs_its_own_rows(executor, tmp_path, monkeypatch):
    plan = make(Choice(scenarios=[SCENARIO], backends=["fake.exact", "fake.instrument"], reps=2, rounds=1))
    folder, submit = RunFolder.create(tmp_path, "r"), executor.submit

    def removes(*request):
        end = submit(*request)
        if len(executor.requests) == 2:
            shutil.rmtree(folder.path / "fits")
        return end

    monkeypatch.setattr(executor, "submit", removes)
    assert run.execute(plan, folder, Limits(), Quiet(), executor)
    first, second = (job.planned.cell.id for job in plan.jobs())
    assert [[folder.record(cell, rep).status for rep in (0, 1)] for cell in (first, second)] == [
        ["ok", "ok"], ["crashed", "crashed"]]  # fmt: skip
    assert [(folder.fit(first, rep) / "draws.npz").is_file() for rep in (0, 1)] == [True, True]
    assert not folder.leftovers()


def test_verification_goes_through_it(executor, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    pairs = [Pair("crooked", scenario(name)) for name in (SCENARIO, "s0-uniform")]
    outcomes = gate.verify(pairs, lambda text: None, executor=executor)
    assert [o.verdict for o in outcomes] == ["same", "same"]
    assert [r.work for r in executor.requests] == ["verify"] and len(executor.requests[0].task["tasks"]) == 2
    everything_is_portable(executor, tmp_path)


def test_a_calibration_goes_through_it(executor, tmp_path):
    plan = make(Choice(scenarios=[SCENARIO], backends=["fake.exact"], reps=12, rounds=1))
    folder = CalibrationFolder.create(tmp_path, "c")
    watcher = Quiet()
    assert study.Study(plan, 12, folder, Limits(), watcher, executor).run()
    trials = study.trials(folder, plan.cells[0].cell.id, 12)
    assert len(trials) == 12 and {t.status for t in trials} == {"ok"} and all(t.placed for t in trials)
    assert [name for name, *_ in watcher.said] == ["starts", "ends"]
    assert executor.requests[0].progress and (folder.path / executor.requests[0].log).is_file()
    everything_is_portable(executor, tmp_path)


def test_a_check_goes_through_it(executor, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))  # its file is verified where nothing is kept of it
    monkeypatch.setattr(of_backend, "families", lambda: ("linear",))
    findings = list(of_backend.findings(backend("fake.exact"), {}, lambda text: None, executor))
    assert not [f for f in findings if f.state == "problem"]
    assert [r.work for r in executor.requests] == ["verify", "check", "check"]
    assert {r.needs.threads for r in executor.requests if r.work == "check"} == {1}
    everything_is_portable(executor, tmp_path)


def everything_is_portable(executor, folder):
    for request in executor.requests:
        text = json.dumps(asdict(request), allow_nan=False)
        assert str(folder) not in text and os.getcwd() not in text and "parent" not in request.task


@pytest.mark.parametrize(
    ("end", "status", "reason"),
    [
        (End(0, "", 2.0, 0), "crashed", "left with exit code 0 after 2.0 s without a result"),
        (End(-9, "timeout", 5.0, 0), "timeout", "stopped at its limit of 5 s"),
        (End(-9, "memory", 5.0, 2**30), "memory", "stopped at 1024 MiB of resident memory after 5.0 s"),
        (End(-9, "", 5.0, 2**30), "memory", "killed from outside after 5.0 s (signal SIGKILL)"),
        (End(-11, "", 5.0, 2**30), "crashed", "ended by signal SIGSEGV after 5.0 s"),
    ],
)
def test_how_a_child_ended_is_a_status_and_a_sentence(end, status, reason):
    found = end.status(5.0)
    assert found[0] == status and found[1].startswith(reason)


def test_this_machine_resolves_its_own_cpus(fakes, tmp_path):
    needs = Needs("fake", "cpu", "float64", None, "matched")
    with local.Local() as executor:
        executor.prepare({needs: {"fake.exact"}, needs._replace(threads=local.default_threads()): {"fake.prior"}}, str)
        assert executor.prepared == {needs._replace(threads=local.default_threads())}
        assert executor.imports()["each"][0]["threads"] == local.default_threads()


IMPORTED = """
import os, time
from pathlib import Path
place, name = Path({place!r}), __name__.rpartition(".")[2]
(place / f"begun-{{name}}").touch()
until = time.monotonic() + {seconds}
while time.monotonic() < until and len(list(place.glob("begun-*"))) < 2:
    time.sleep(0.01)
(place / f"met-{{name}}").write_text(str(len(list(place.glob("begun-*"))) - len(list(place.glob("ended-*")))))
(place / f"ended-{{name}}").touch()
PACKAGES = ("numpy",)
"""


@pytest.mark.parametrize(("cpus", "together", "seconds"), [(1, 1, 0.2), (2, 1, 0.2), (3, 2, 60.0)])
def test_one_cpu_is_left_to_what_else_is_imported(tmp_path, monkeypatch, cpus, together, seconds):
    """The seconds of an import are shown: no more run beside it than there are CPUs for, and none waits needlessly."""
    names = ("one", "two")
    for name in names:
        folder = tmp_path / "backends" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(IMPORTED.format(place=str(tmp_path), seconds=seconds))
        (folder / "exact.py").write_text('"""Nothing."""\nKIND = "exact"\n')
    monkeypatch.setenv("BENCH_BACKENDS", str(tmp_path / "backends"))
    monkeypatch.setattr(local, "default_threads", lambda: cpus)
    with local.Local() as executor:
        executor.prepare({Needs(name, "cpu", "float64", 1, "matched"): {f"{name}.exact"} for name in names}, str)
        assert {needs.framework for needs in executor.prepared} == set(names)
    assert max(int(file.read_text()) for file in tmp_path.glob("met-*")) == together


def test_a_family_is_imported_before_children_are_forked(fakes, tmp_path, monkeypatch):
    plan = make(Choice(scenarios=[SCENARIO], backends=["fake.exact"], reps=1, rounds=1))
    ((needs, names),) = run.imports_of(plan.cells).items()
    assert names == {"fake.exact", "linear"}
    folder, witness = tmp_path / "families" / "witnesses", tmp_path / "pid"
    folder.mkdir(parents=True)
    (folder / "witness.py").write_text(
        f"import os\nopen({str(witness)!r}, 'a').write(f'{{os.getpid()}}\\n')\nFAMILY = 1\n"
    )
    monkeypatch.setenv("BENCH_FAMILIES", str(tmp_path / "families"))
    with local.Local() as executor:
        executor.prepare({needs: names | {"witness", "no_such_family"}}, str)  # of which a child would say so
        (server,) = executor._servers.values()
        assert witness.read_text() == f"{server._process.pid}\n"


def test_a_server_that_ends_before_its_turn_costs_the_others_nothing(tmp_path, fakes, monkeypatch):
    monkeypatch.setattr(local, "default_threads", lambda: 2)
    place, started = Needs("fake", "cpu", "float64", 1, "matched"), []

    class Doomed(local.Server):
        def __init__(self, *given):
            super().__init__(*given)
            started.append(self)
            if len(started) == 2:
                self.kill()

    monkeypatch.setattr(local, "Server", Doomed)
    wanted = [place, place._replace(dtype="float32"), place._replace(track="defaults")]
    with local.Local() as executor:
        executor.prepare({needs: {"fake.exact"} for needs in wanted}, str)
        assert len(executor.prepared) == 2 and len(started) == 3


def test_the_machine_is_looked_at_once_between_two_children(monkeypatch):
    looks = iter([0.001, 0.002])
    monkeypatch.setattr(local.noise, "reference_workload", lambda: next(looks))
    executor = local.Local()
    assert executor._look() == 0.001  # nothing was looked at before
    executor._looked = time.monotonic(), 0.005
    assert executor._look() == 0.005
    executor._looked = time.monotonic() - 2.0 * local.RECENT, 0.005
    assert executor._look() == 0.002

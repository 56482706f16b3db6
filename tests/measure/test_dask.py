"""Many slots: Dask's own scheduler and workers in this process, with fits of fake contenders."""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import ExitStack
from unittest import mock

import numpy as np
import pytest

from bench.calibration import study
from bench.catalog import kept
from bench.errors import ClusterError, UsageError
from bench.measure import interrupts, run
from bench.measure.blocks import TRIES
from bench.measure.cluster import likeness, opening, shares, slot
from bench.measure.cluster.remote import Remote
from bench.measure.executor import SlotLost
from bench.measure.homes import Homes
from bench.measure.job import Limits
from bench.plan import Choice, make
from bench.store.folder import CalibrationFolder, RunFolder
from bench.verify import gate
from bench.verify.outcome import Pair
from tests.measure.inprocess import InProcess, still_time
from tests.measure.test_executor import Quiet

distributed = pytest.importorskip("distributed", reason="not installed: pip install 'posterior-bench[dask]'")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

SCENARIOS = ("correlated-rho95", "s0-uniform")


@pytest.fixture(scope="module")
def engine():
    """A scheduler and two workers of one thread each, in this process."""
    quiet = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**quiet, silence_logs=opening.SILENT) as cluster:
        yield cluster


@pytest.fixture
def slots(engine, fakes, monkeypatch):
    """Open the two workers as slots for a plan; their children are calls in this process, which stays on its CPUs."""
    monkeypatch.setattr(slot.local, "Local", InProcess)
    monkeypatch.setattr(slot, "bind", lambda cpus: None)
    monkeypatch.setattr(shares, "FREE", 0.5)
    said = []
    with ExitStack() as opened:

        def call(plan, *, threads=1, memory=None):
            named = opening.opened(engine.scheduler_address, plan, threads, memory, say=said.append, tick=said.append)
            return opened.enter_context(named)

        call.said = said
        yield call


def planned(reps=2, rounds=2, backends=("fake.exact", "fake.exact[bias=1.0]"), scenarios=SCENARIOS):
    return make(Choice(scenarios=scenarios, backends=backends, reps=reps, rounds=rounds))


def made(folder, plan):
    return [folder.record(p.cell.id, rep) for p in plan.cells for rep in range(p.reps * p.rounds)]


def test_a_run_in_slots_has_the_fits_of_a_run_without(slots, tmp_path):
    plan, watcher = planned(), Quiet()
    here, there = RunFolder.create(tmp_path, "here"), RunFolder.create(tmp_path, "there")
    with still_time():
        assert run.execute(plan, here, Limits(), Quiet(), InProcess())
        cluster = slots(plan)
        assert cluster.width() == 2 and cluster.threads() == 1
        assert run.execute(plan, there, Limits(), watcher, cluster)
    for mine, other in zip(made(here, plan), made(there, plan), strict=True):
        assert (mine.status, mine.fit_seed, mine.data_digest) == ("ok", other.fit_seed, other.data_digest)
        files = [folder.fit(mine.cell, mine.rep) / "draws.npz" for folder in (here, there)]
        drawn = [dict(np.load(file)) for file in files]
        assert drawn[0].keys() == drawn[1].keys()
        assert all(np.array_equal(x, drawn[1][k]) for k, x in drawn[0].items() if x.dtype != object)
    assert Counter(name for name, *_ in watcher.said if name != "waits") == {"imports": 0, "starts": 8, "ends": 8} | {
        "imports": sum(name == "imports" for name, *_ in watcher.said)}  # fmt: skip
    assert not there.leftovers() and not list(there.path.glob(".*"))


def test_contenders_of_a_scenario_and_round_are_made_in_one_slot_one_after_the_other(slots, tmp_path):
    plan = planned(rounds=3, reps=1)
    folder = RunFolder.create(tmp_path, "r")
    cluster = slots(plan)
    assert run.execute(plan, folder, Limits(), Quiet(), cluster)
    lines, label = folder.children.entries(), {p.cell.id: p.cell.scenario_label for p in plan.cells}
    blocks = {}
    for line in lines:
        blocks.setdefault((label[line["cell"]], line["round"]), set()).add((line["host"], line["slot"]))
    assert len(blocks) == 6 and {len(places) for places in blocks.values()} == {1}
    assert {line["slot"] for line in lines} == {0, 1}
    assert set(cluster.machines()) == {line["host"] for line in lines} == {likeness.machine()["host"]}


def test_a_lost_slot_costs_no_finished_fit_and_its_block_goes_on_elsewhere(slots, tmp_path, monkeypatch):
    plan = planned(scenarios=SCENARIOS[:1], reps=1, rounds=4)
    folder, submit, lost = RunFolder.create(tmp_path, "r"), Remote.submit, []

    def loses(self, request, into, tick):
        if len(folder.children.entries()) >= 3 and not lost:
            lost.append(self.number)
            self.lost.set()
            raise SlotLost("for this test")
        return submit(self, request, into, tick)

    monkeypatch.setattr(Remote, "submit", loses)
    cluster = slots(plan)
    assert run.execute(plan, folder, Limits(), Quiet(), cluster)
    assert {r.status for r in made(folder, plan)} == {"ok"} and len(folder.children.entries()) == 8
    assert lost and cluster.width() == 1
    assert any("is lost; its work is done by others" in line for line in slots.said)


def test_a_job_that_always_loses_its_slot_is_the_cause(slots, tmp_path, monkeypatch):
    plan = planned(scenarios=SCENARIOS[:1], reps=1, rounds=1)
    folder, submit = RunFolder.create(tmp_path, "r"), Remote.submit

    def loses(self, request, into, tick):
        if dict(request.task["cell"]["options"]).get("bias"):
            raise SlotLost("for this test")
        return submit(self, request, into, tick)

    monkeypatch.setattr(Remote, "submit", loses)
    assert run.execute(plan, folder, Limits(), Quiet(), slots(plan))
    good, bad = made(folder, plan)
    assert (good.status, bad.status) == ("ok", "crashed")
    assert bad.reason.startswith(f"its slot was lost {TRIES} times while it was at work")


def test_without_a_slot_or_a_scheduler_a_run_says_so_and_keeps_what_it_has(slots, tmp_path, monkeypatch):
    plan = planned(scenarios=SCENARIOS[:1], reps=1, rounds=1)
    monkeypatch.setattr("bench.measure.cluster.cluster.ALONE_SECONDS", 0.2)

    def loses(self, request, into, tick):
        self.lost.set()
        raise SlotLost("for this test")

    monkeypatch.setattr(Remote, "submit", loses)
    with pytest.raises(ClusterError, match=r"no slot has been left for 0 s"):
        run.execute(plan, RunFolder.create(tmp_path, "r"), Limits(), Quiet(), slots(plan))


def test_a_gate_refuses_in_slots_too_and_verifies_through_them(slots, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    plan = planned(reps=1, rounds=1, scenarios=SCENARIOS[:1])
    cluster, folder = slots(plan), RunFolder.create(tmp_path, "r")
    outcomes = gate.verify([Pair("crooked", plan.cells[0].scenario)], lambda text: None, executor=cluster)
    assert [o.verdict for o in outcomes] == ["same"]
    bad = plan.cells[0].cell.id
    assert run.execute(plan, folder, Limits(), Quiet(), cluster, lambda: {bad: "wrong target"})
    refused, fine = made(folder, plan)
    assert (refused.status, refused.reason, fine.status) == ("invalid", "wrong target", "ok")


def test_ctrl_c_ends_a_run_everywhere(slots, tmp_path):
    plan = planned(backends=("fake.exact[sleep=0.5]",), reps=1, rounds=2)
    folder, asked = RunFolder.create(tmp_path, "r"), []

    class Impatient(Quiet):
        def waits(self):
            if any(name == "starts" for name, *_ in self.said) and not asked:
                asked.append(interrupts.ask())

    with mock.patch.dict(interrupts._state):
        assert run.execute(plan, folder, Limits(), Impatient(), slots(plan)) is False
    assert asked and not any(made(folder, plan)) and not list(folder.path.glob(".*"))


@pytest.fixture
def elsewhere(monkeypatch):
    """The workers say that they are on another machine."""
    real = slot.facts
    monkeypatch.setattr(slot, "facts", lambda backends, *, dask_worker: {
        **real(backends, dask_worker=dask_worker), "host": "host-other"})  # fmt: skip


def test_a_model_that_is_in_no_catalog_travels_with_the_request(slots, elsewhere, tmp_path):
    (tmp_path / "mine.csv").write_text("y,x\n" + "\n".join(f"{i % 7},{i % 5}" for i in range(40)) + "\n")
    (tmp_path / "mine.toml").write_text('formula = "y ~ x"\n[data]\nfile = "mine.csv"\n')
    plan = make(Choice(scenarios=[str(tmp_path / "mine.toml")], backends=["fake.exact"], reps=1, rounds=2))
    folder, cluster = RunFolder.create(tmp_path, "r"), slots(plan)
    kept.keep(plan.cells[0].scenario, folder.path)
    for name in ("mine.csv", "mine.toml"):
        (tmp_path / name).unlink()
    assert run.execute(plan, folder, Limits(), Quiet(), cluster)
    assert {r.status for r in made(folder, plan)} == {"ok"}
    assert {line["host"] for line in folder.children.entries()} == {"host-other"}


def test_hosts_that_are_unlike_are_refused_with_the_list(slots, monkeypatch):
    plan, code, real = planned(), likeness.code, slot.facts

    def other(backends, *, dask_worker):
        return {**real(backends, dask_worker=dask_worker), "code": code(backends) | {"numpy": "1.0", "jax": "9"}}

    monkeypatch.setattr(slot, "facts", other)
    with pytest.raises(UsageError, match=r"one set of code.*jax is 9, here absent; numpy is 1.0, here"):
        slots(plan)


def test_a_host_that_makes_other_data_is_refused(slots, elsewhere, monkeypatch):
    monkeypatch.setattr(slot, "data", lambda owner, asked: ["other"] * len(asked))
    with pytest.raises(UsageError, match=r"host-other: the data of correlated-rho95 are others there \(other, here"):
        slots(planned())


def test_slots_of_another_run_are_left_alone_until_it_is_over(slots, monkeypatch):
    monkeypatch.setattr("bench.measure.cluster.cluster.ALONE_SECONDS", 0.3)
    plan = planned()
    first = slots(plan)
    with pytest.raises(UsageError, match="at work for another run"):
        slots(plan)
    first.close()
    assert slots(plan).width() == 2


def test_a_leader_that_is_gone_has_its_slots_end_by_themselves(slots):
    cluster = slots(planned())
    served = list(slot._served.values())
    cluster._closed.set()  # nothing renews any more
    for one in served:
        one._until = time.monotonic() - 1.0
    until = time.monotonic() + 10.0
    while any(one.folder.exists() for one in served) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(one.folder.exists() for one in served)


def test_a_calibration_is_divided_between_slots(slots, tmp_path):
    plan = make(Choice(scenarios=SCENARIOS[:1], backends=["fake.exact"], reps=12, rounds=1))
    there, here = (CalibrationFolder.create(tmp_path, name) for name in ("there", "here"))
    assert study.Study(plan, 12, there, Limits(), Quiet(), slots(plan)).run()
    assert study.Study(plan, 12, here, Limits(), Quiet(), InProcess()).run()
    mine, other = (study.trials(folder, plan.cells[0].cell.id, 12) for folder in (there, here))
    assert [t.placed for t in mine] == [t.placed for t in other] and {t.status for t in mine} == {"ok"}
    assert sum(t.first for t in mine) == 2  # a program compiled in each slot
    assert not list(there.path.rglob(".*"))


@pytest.mark.parametrize("siblings", [1, 2])
def test_shares_have_nothing_in_common_and_whole_cores_come_first(siblings):
    cores = {cpu: str(cpu // siblings) for cpu in range(8)}
    found = {"threads": 2, "cpus": list(range(8)), "cores": cores, "memory": 0, "gpus": ["0", "1"],
             "facts": {"memory_bytes": 80}}  # fmt: skip
    taken = []
    for number in range(4):
        one = shares.share(found, shares.Terms(threads=2), taken)
        assert isinstance(one, slot.Share) and len(one.cpus) == 2 and one.memory == 16
        if number < 4 // siblings:
            assert len({cores[cpu] for cpu in one.cpus}) == 2, "a core is not shared while there are free ones"
        taken.append(one)
    assert sorted(cpu for one in taken for cpu in one.cpus) == list(range(8))
    assert "2 CPUs are asked for, and 0 of its 8" in str(shares.share(found, shares.Terms(2), taken))
    assert "a slot of it has" in str(shares.share(found, shares.Terms(2, memory=10**10), []))
    with_gpus = [shares.share(found, shares.Terms(1, gpu=True), [])]
    with_gpus.append(shares.share(found, shares.Terms(1, gpu=True), with_gpus))
    assert [one.gpu for one in with_gpus] == ["0", "1"]
    assert "no GPU" in str(shares.share(found, shares.Terms(1, gpu=True), with_gpus))
    assert shares.fitting(range(8), cores, 2) == 4 // siblings


def test_rounds_of_a_scenario_stay_at_home_while_that_is_busy_and_nothing_is_lost():
    pieces = [(name, number) for number in range(4) for name in "abcd"]
    homes = Homes(pieces, lambda piece: piece[0])
    taken = [(host, homes.next(host)) for host in ["x", "y"] * 6]
    at = {name: {host for host, piece in taken if piece[0] == name} for name in "abcd"}
    assert all(len(hosts) == 1 for hosts in at.values())
    assert [piece[1] for _, piece in taken] == [0] * 4 + [1] * 4 + [2] * 4, "rounds come one after the other"
    homes.back(taken[-1][1])
    rest = []
    while homes:
        rest.append(homes.next("z"))  # it has no home, and helps where most is left
    assert sorted([*rest, *(piece for _, piece in taken[:-1])]) == sorted(pieces)
    with pytest.raises(IndexError):
        homes.next("x")


def test_what_comes_back_lies_inside_its_folder_and_links_stay_behind(tmp_path):
    (tmp_path / "fits" / "a-0").mkdir(parents=True)
    (tmp_path / "fits" / "a-0" / "record.json").write_text("{}")
    (tmp_path / "fits" / ".half").write_text("x")
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "kept").write_text("x")
    os.symlink("/etc/hostname", tmp_path / "fits" / "a-0" / "link")
    assert slot._files(tmp_path) == {"fits/a-0/record.json": b"{}"}
    slot._clear(tmp_path)
    assert [p.name for p in tmp_path.rglob("*")] == ["scenarios", "kept"]
    for name in ("../x", "/x", "a/../../x"):
        with pytest.raises(ValueError, match="no path inside"):
            slot.put(tmp_path, {name: b""})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("dusk", "'dusk' is not allowed; local, dask, an address"),
        ("tcp://127.0.0.1:1", "no scheduler answers there"),
        ("no.toml", "no.toml"),
    ],
)
def test_an_executor_that_cannot_be_is_one_sentence(bench, tmp_path, monkeypatch, text, why):
    monkeypatch.setattr(opening, "CONNECT_SECONDS", 0.5)
    done = bench("run", "-s", SCENARIOS[0], "-b", "fake.exact", "--executor", text)
    assert done.code == 2 and why in done.err and not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('type = "slum"', "type = 'slum' is not allowed; one of slurm, pbs, lsf"),
        ('type = "slurm"\ncores = 4', "memory is missing"),
        ('type = "slurm"\ncores = 4\nmemory = "8GB"\nqeue = "x"', "qeue is not allowed; type, jobs, account"),
        ('type = "slurm"\njobs = 0', "jobs = 0 is not allowed"),
    ],
)
def test_a_file_of_a_batch_system_that_cannot_be_names_the_key(tmp_path, content, why):
    pytest.importorskip("dask_jobqueue", reason="not installed: pip install 'posterior-bench[dask]'")
    file = tmp_path / "batch.toml"
    file.write_text(content)
    with pytest.raises(UsageError, match=why):
        opening.known(str(file))


@pytest.mark.parametrize(
    ("type_", "line"), [("slurm", "#SBATCH -p long"), ("pbs", "#PBS -q long"), ("lsf", "#BSUB -q long")]
)
def test_a_file_of_a_batch_system_gives_its_job_script(tmp_path, monkeypatch, type_, line):
    jobqueue = pytest.importorskip("dask_jobqueue", reason="not installed: pip install 'posterior-bench[dask]'")
    file = tmp_path / "batch.toml"
    file.write_text(f'type = "{type_}"\njobs = 3\ncores = 8\nprocesses = 4\nmemory = "32GB"\nqueue = "long"\n'
                    'walltime = "02:00"\ninterface = "lo"\n')  # fmt: skip
    scaled = []
    class_ = getattr(jobqueue, opening.BATCH[type_])
    monkeypatch.setattr(class_, "scale", lambda self, jobs: scaled.append(jobs))
    monkeypatch.setattr(class_, "__init__", lambda self, **table: vars(self).update(table=table))
    engine = opening.batch(file)
    table = {k: v for k, v in engine.table.items() if k not in ("interface", "scheduler_options")}
    script = class_.job_cls(scheduler="tcp://leader:8786", name="slots", **table).job_script()
    assert line in script and scaled == [3]
    assert "--nworkers 4" in script and "--nthreads 2" in script

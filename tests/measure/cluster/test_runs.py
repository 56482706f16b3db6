"""A run in many slots: what it makes, what it loses, and how it ends."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from dataclasses import replace
from itertools import chain
from unittest import mock

import pandas as pd
import pytest

from bench import pipeline
from bench.calibration import study
from bench.catalog import kept
from bench.errors import ClusterError
from bench.measure import interrupts, run
from bench.measure.blocks import TRIES
from bench.measure.cluster import likeness, scheduler, slot
from bench.measure.cluster.remote import Remote
from bench.measure.executor import SlotLost
from bench.measure.job import Limits
from bench.plan import Choice, make
from bench.score.run import score_run
from bench.store import tables
from bench.store.folder import CalibrationFolder, RunFolder
from bench.verify import gate
from bench.verify.outcome import Pair
from tests.measure.cluster.plans import SCENARIOS, made, planned
from tests.measure.inprocess import InProcess, still_time
from tests.measure.test_executor import Quiet

distributed = pytest.importorskip("distributed", reason="not installed: pip install 'posterior-bench[dask]'")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

ELSEWHERE = ["run", "host", "slot", "measured_at", "peak_rss_bytes", "os_threads", "load_average", "disturbance",
             "seconds_import", "seconds_until_end", "notes"]  # fmt: skip
"""Columns of fits that may differ: where and when, and notes on disturbance; slots here are threads of this process."""


def test_a_run_in_slots_has_the_tables_of_a_run_without(slots, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "bandwidth", lambda threads: 1e10)
    contenders = "fake.exact[draws=50,bias=[0.0,1.0]]"
    plan, watcher = planned(scenarios=SCENARIOS[1:], backends=(contenders,)), Quiet()
    here, there = RunFolder.create(tmp_path, "here"), RunFolder.create(tmp_path, "there")
    with still_time():  # even seconds are the same
        pipeline.start_manifest(here, plan, {"threads": 1})
        assert run.execute(plan, here, Limits(), Quiet(), InProcess())
        cluster = slots(plan)
        assert cluster.width() == 2 and cluster.threads() == 1
        pipeline.start_manifest(there, plan, {"threads": 1})
        assert run.execute(plan, there, Limits(), watcher, cluster)
    for folder in (here, there):
        assert score_run(folder, str) == 8
    for name in tables.TABLES:
        mine, other = (tables.read(folder, name).drop(columns=ELSEWHERE, errors="ignore") for folder in (here, there))
        assert not mine.empty
        pd.testing.assert_frame_equal(mine, other, rtol=1e-9)  # the clock adds up sleeps in another order
    assert Counter(name for name, *_ in watcher.said if name != "waits") == {"imports": 0, "starts": 4, "ends": 4} | {
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
    folder, each, lost = RunFolder.create(tmp_path, "r"), Remote.each, []

    def loses(self, asked, tick):
        for end in each(self, asked, tick):
            yield end
            if not lost:
                lost.append(self.number)
                self.lost.set()
                raise SlotLost("for this test")

    monkeypatch.setattr(Remote, "each", loses)
    cluster = slots(plan)
    assert run.execute(plan, folder, Limits(), Quiet(), cluster)
    assert {r.status for r in made(folder, plan)} == {"ok"} and len(folder.children.entries()) == 8
    assert lost and cluster.width() == 1
    assert any("is lost; its work is done by others" in line for line in slots.said)


def test_a_job_that_always_loses_its_slot_is_the_cause(slots, tmp_path, monkeypatch):
    plan = planned(scenarios=SCENARIOS[:1], reps=1, rounds=1)
    folder, each = RunFolder.create(tmp_path, "r"), Remote.each

    def loses(self, asked, tick):
        for request, into in asked:
            if dict(request.task["cell"]["options"]).get("bias"):
                raise SlotLost("for this test")
            yield from each(self, [(request, into)], tick)

    monkeypatch.setattr(Remote, "each", loses)
    assert run.execute(plan, folder, Limits(), Quiet(), slots(plan))
    good, bad = made(folder, plan)
    assert (good.status, bad.status) == ("ok", "crashed")
    assert bad.reason.startswith(f"its slot was lost {TRIES} times while it was at work")


def test_what_is_lost_between_its_end_and_its_leader_is_made_again(slots, engine, tmp_path, monkeypatch):
    plan = planned(scenarios=SCENARIOS[:1], reps=1, rounds=2)
    folder, result, cut = RunFolder.create(tmp_path, "r"), distributed.Future.result, []

    async def never(future):
        await result(future)
        worker = next(iter(engine.scheduler.tasks[future.key].who_has))
        cluster._hear((0.0, {"action": "remove-worker", "worker": worker.address}))
        await asyncio.sleep(3600.0)  # Dask waits for a process of that address to make it again

    def lost(future, *args):
        if cut or not future.key.startswith("serve"):
            return result(future, *args)
        cut.append(future.key)
        return never(future)

    monkeypatch.setattr(distributed.Future, "result", lost)
    cluster = slots(plan)
    assert run.execute(plan, folder, Limits(), Quiet(), cluster)
    assert cut and cluster.width() == 1 and {r.status for r in made(folder, plan)} == {"ok"}


_renewed: Counter[str] = Counter()
_touch = slot.touch


async def touched(owner, *, dask_worker):
    """The first that is asked is frozen."""
    _renewed[dask_worker.address] += 1
    if next(iter(_renewed)) == dask_worker.address:
        await asyncio.sleep(3600.0)
    _touch(owner, dask_worker=dask_worker)


def test_a_frozen_process_keeps_no_other_from_being_renewed(slots, monkeypatch):
    monkeypatch.setattr("bench.measure.cluster.cluster.RENEW_SECONDS", 0.02)
    monkeypatch.setattr(slot, "touch", touched)
    slots(planned())
    until = time.monotonic() + 10.0
    while min(_renewed.values(), default=0) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    assert len(_renewed) == 2 and min(_renewed.values()) >= 3


def test_a_scheduler_that_says_nothing_ends_a_run(slots, tmp_path, monkeypatch):
    monkeypatch.setattr("bench.measure.cluster.cluster.RENEW_SECONDS", 0.02)
    monkeypatch.setattr(scheduler, "SILENT_SECONDS", 0.1)
    plan = planned(backends=("fake.exact[sleep=0.5]",), scenarios=SCENARIOS[:1], rounds=1, reps=1)
    cluster = slots(plan)
    cluster._client.scheduler.identity = lambda **_: asyncio.sleep(3600.0)
    with pytest.raises(ClusterError, match="the scheduler has not answered for 0 s"):
        run.execute(plan, RunFolder.create(tmp_path, "r"), Limits(fresh=True), Quiet(), cluster)


def test_quick_contenders_are_asked_for_together_once_one_like_them_has_ended(slots, tmp_path, monkeypatch):
    plan = planned(scenarios=SCENARIOS[:1], reps=1, rounds=2, backends=("fake.exact[bias=[0.0,1.0,2.0]]", "fake.twin"))
    folder, each, sizes = RunFolder.create(tmp_path, "r"), Remote.each, []

    def counted(self, asked, tick):
        sizes.append(sorted(dict(request.task["cell"]["options"]).get("bias", 3.0) for request, _ in asked))
        for (request, _), end in zip(asked, each(self, asked, tick), strict=False):
            yield replace(end, seconds=2.0 if request.task["cell"]["backend"] == "fake.twin" else 0.1)

    monkeypatch.setattr(Remote, "each", counted)
    cluster = slots(plan)
    lone = cluster.take()
    assert run.execute(plan, folder, Limits(), Quiet(), cluster)
    cluster.give(lone)
    assert {r.status for r in made(folder, plan)} == {"ok"} and Counter(chain(*sizes)) == dict.fromkeys(range(4), 2)
    assert all(len(size) == 1 for size in sizes if 3.0 in size), "nobody waits for one that is slow"
    exact = [size for size in sizes if 3.0 not in size]
    assert len(exact[0]) == 1, "nothing is known of any at first"
    assert any(len(size) > 1 for size in exact), "two of three that are quick are neighbours in any order"


def test_children_that_are_slower_than_was_thought_are_handed_over_and_the_rest_is_asked_for_again(
    slots, tmp_path, monkeypatch
):
    plan = planned(scenarios=SCENARIOS[:1], reps=1, rounds=2, backends=("fake.exact[bias=[0.0,1.0,2.0]]",))
    monkeypatch.setattr(slot, "MESSAGE_SECONDS", -1.0)
    folder, each, sizes = RunFolder.create(tmp_path, "r"), Remote.each, []

    def counted(self, asked, tick):
        ends = list(each(self, asked, tick))
        sizes.append((len(asked), len(ends)))
        yield from ends

    monkeypatch.setattr(Remote, "each", counted)
    cluster = slots(plan)
    lone = cluster.take()
    assert run.execute(plan, folder, Limits(), Quiet(), cluster)
    cluster.give(lone)
    assert {made for _, made in sizes} == {1} and max(asked for asked, _ in sizes) == 3
    assert {r.status for r in made(folder, plan)} == {"ok"} and len(folder.children.entries()) == len(sizes) == 6
    assert not (folder.path / ".lanes").exists()


def test_without_a_slot_or_a_scheduler_a_run_says_so_and_keeps_what_it_has(slots, tmp_path, monkeypatch):
    plan = planned(scenarios=SCENARIOS[:1], reps=1, rounds=1)
    monkeypatch.setattr("bench.measure.cluster.cluster.ALONE_SECONDS", 0.2)

    def loses(self, asked, tick):
        self.lost.set()
        raise SlotLost("for this test")

    monkeypatch.setattr(Remote, "each", loses)
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


def test_a_calibration_is_divided_between_slots(slots, tmp_path):
    plan = make(Choice(scenarios=SCENARIOS[:1], backends=["fake.exact"], reps=12, rounds=1))
    there, here = (CalibrationFolder.create(tmp_path, name) for name in ("there", "here"))
    assert study.Study(plan, 12, there, Limits(), Quiet(), slots(plan)).run()
    assert study.Study(plan, 12, here, Limits(), Quiet(), InProcess()).run()
    mine, other = (study.trials(folder, plan.cells[0].cell.id, 12) for folder in (there, here))
    assert [t.placed for t in mine] == [t.placed for t in other] and {t.status for t in mine} == {"ok"}
    assert sum(t.first for t in mine) == 2  # a program compiled in each slot
    assert not list(there.path.rglob(".*"))


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

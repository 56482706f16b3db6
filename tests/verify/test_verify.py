"""The density gate: its children and its cache."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from bench.catalog import backends
from bench.catalog.scenarios import scenario
from bench.measure import local
from bench.measure.executor import Needs
from bench.store.manifest import plain
from bench.types import Array, Dataset, DType
from bench.verify import cache, gate, problems
from bench.verify.expected import expected
from bench.verify.outcome import Pair
from bench.verify.points import NEIGHBOURS
from bench.verify.wire import unpacked
from tests.conftest import FAKES, ROOT

NAME = "correlated-rho95"


def quiet(text: str) -> None:
    assert text


def pairs(*names: str, framework: str = "crooked", dtype: DType = "float64") -> list[Pair]:
    return [Pair(framework, scenario(name), dtype) for name in names]


def test_verification_forks_where_a_run_has_imported_the_framework_already(fakes, fresh_cache, children) -> None:
    needs = Needs("crooked", "cpu", "float64", None, "matched")
    with local.Local() as executor:
        executor.prepare({needs: {"crooked.models"}}, quiet)
        assert executor.prepared == {needs._replace(threads=local.default_threads())}
        forked = gate.verify(pairs(NAME, "s0-uniform"), quiet, executor=executor)
    assert not children
    started = gate.verify(pairs(NAME, "s0-uniform"), quiet, again=True)
    assert children == ["crooked"]
    assert [plain(o) for o in forked] == [plain(o) for o in started]


def test_a_warm_cache_starts_no_child(fakes, fresh_cache, here) -> None:
    first = gate.verify(pairs(NAME, "s0-uniform"), quiet)
    assert len(here.requests) == 1
    assert [o.verdict for o in first] == ["same", "same"] and not any(o.cached for o in first)
    again = gate.verify(pairs(NAME, "s0-uniform"), quiet)
    assert len(here.requests) == 1
    assert [replace(o, cached=False) for o in again] == first and all(o.cached for o in again)
    gate.verify(pairs(NAME, "s4-linear"), quiet)
    assert len(here.requests) == 2
    gate.verify(pairs(NAME), quiet, again=True)
    assert len(here.requests) == 3


def test_precisions_are_verified_apart(fakes, fresh_cache, here) -> None:
    gate.verify(pairs(NAME), quiet)
    (single,) = gate.verify(pairs(NAME, dtype="float32"), quiet)
    assert len(here.requests) == 2
    assert single.verdict == "same" and single.gate == 1e-5 and 1e-9 < (single.value_error or 0) < 1e-5


@pytest.mark.parametrize("change", ["models", "helper", "versions", "scenario"])
def test_whatever_could_change_a_density_is_verified_again(
    tmp_path, monkeypatch, fresh_cache, request, change: str
) -> None:
    # code that has changed needs a process that has not imported it yet
    started = request.getfixturevalue("children") if change == "models" else request.getfixturevalue("here").requests
    mine = tmp_path / "mine"
    for name in ("crooked", "fake"):
        shutil.copytree(FAKES / name, mine / name)
    monkeypatch.setenv("BENCH_BACKENDS", str(mine))
    monkeypatch.setenv("BENCH_SCENARIOS", str(tmp_path))
    text = (ROOT / "scenarios" / f"{NAME}.toml").read_text()
    (tmp_path / "own.toml").write_text(text)
    backends.forget()
    try:
        assert gate.verify(pairs("own"), quiet)[0].verdict == "same"
        if change == "models":
            file = mine / "crooked" / "models.py"
            file.write_text(file.read_text().replace("value + 7.0, gradient", "value, 2 * gradient"))
        elif change == "helper":
            (mine / "crooked" / "helper.py").write_text("SCALE = 2\n")
        elif change == "versions":
            monkeypatch.setattr(cache, "versions", lambda: (("numpy", "99"),))
        else:
            (tmp_path / "own.toml").write_text(text.replace("noise = 1.0", "noise = 2.0"))
        (outcome,) = gate.verify(pairs("own"), quiet)
    finally:
        backends.forget()
    assert len(started) == (3 if change == "models" else 2)  # what is off is asked again, with neighbours
    assert outcome.verdict == ("wrong" if change == "models" else "same")


def test_neighbours_of_points_are_asked_for_only_where_rounding_may_be_what_is_off(
    fakes, fresh_cache, here, monkeypatch
) -> None:
    def asked() -> list[int]:
        return [len(unpacked(task["points"])) for request in here.requests for task in request.task["tasks"]]

    assert [o.verdict for o in gate.verify(pairs(NAME, "s0-uniform"), quiet)] == ["same", "same"]
    assert asked() == [1, 1]
    here.requests.clear()
    monkeypatch.setenv("CROOKED", "rough")
    (outcome,) = gate.verify(pairs(NAME), quiet, again=True)
    assert asked() == [1, 1 + NEIGHBOURS]
    assert outcome.verdict == "same"

    def cannot(data: Dataset, family: Any, z: Array) -> Any:
        if len(z) > 1:
            raise MemoryError
        return expected(data, family, z)

    monkeypatch.setattr(problems, "expected", cannot)
    (outcome,) = gate.verify(pairs(NAME), quiet, again=True)
    assert outcome.verdict == "wrong", "what was said of the points stands"


@pytest.mark.skipif(gate.default_threads() < 2, reason="one CPU: one child at a time")
def test_children_of_two_precisions_are_at_work_at_once(fakes, fresh_cache, monkeypatch) -> None:
    together, asked, ticks = threading.Barrier(2, timeout=30), gate._answers, []

    def meet(*given: Any) -> Any:
        together.wait()  # BrokenBarrierError where the other does not come
        return asked(*given)

    monkeypatch.setattr(gate, "_answers", meet)
    both = gate.verify([*pairs(NAME), *pairs(NAME, dtype="float32")], ticks.append)
    assert [outcome.dtype for outcome in both] == ["float64", "float32"]
    assert any(" float32: " in said and " float64: " in said for said in ticks)


def test_what_ends_the_wait_ends_every_child(fakes, fresh_cache, monkeypatch) -> None:
    at_work = threading.Event()

    def never(tasks: Any, executor: Any, look: Callable[[], None]) -> Any:
        at_work.set()
        until = time.monotonic() + 30.0
        while time.monotonic() < until:
            look()
            time.sleep(0.01)
        raise AssertionError("nobody told this child to end")

    def impatient(text: str) -> None:
        if at_work.is_set():
            raise KeyboardInterrupt

    monkeypatch.setattr(gate, "_answers", never)
    with pytest.raises(KeyboardInterrupt):
        gate.verify([*pairs(NAME), *pairs(NAME, dtype="float32")], impatient)


@pytest.mark.parametrize("damage", ["{", "[]", '{"framework": "crooked"}', ""])
def test_a_damaged_cache_file_is_made_again(fakes, fresh_cache, here, damage: str) -> None:
    first = gate.verify(pairs(NAME), quiet)
    (file,) = fresh_cache.iterdir()
    whole = file.read_text()
    file.write_text(damage)
    assert gate.verify(pairs(NAME), quiet) == first
    assert len(here.requests) == 2
    assert file.read_text() == whole


FAULTS = {
    "jacobian": ("wrong", "centred log density off by"),
    "nan": ("wrong", "not finite"),
    "shape": ("failed", "gave shapes (80, 1)"),
    "raises": ("failed", "ArithmeticError: planned"),
    "family": ("unsupported", "its models have no family linear"),
    "unavailable": ("unavailable", "no such device here"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_has_its_verdict_and_only_what_is_certain_is_kept(
    fakes, fresh_cache, here, monkeypatch, fault
) -> None:
    monkeypatch.setenv("CROOKED", fault)
    (outcome,) = gate.verify(pairs(NAME), quiet)
    verdict, words = FAULTS[fault]
    assert outcome.verdict == verdict and words in outcome.reason
    kept = list(fresh_cache.iterdir()) if fresh_cache.exists() else []
    assert len(kept) == (verdict in {"wrong", "unsupported"})
    json.dumps(plain(outcome), allow_nan=False)


def test_where_the_family_has_no_density_nothing_is_known_and_nothing_kept(fakes, fresh_cache, monkeypatch) -> None:
    def broken(data: Dataset, fam: Any) -> None:
        raise FloatingPointError("planned")

    monkeypatch.setattr("bench.verify.problems.points", broken)
    (outcome,) = gate.verify(pairs(NAME), quiet)
    assert outcome.verdict == "unknown" and "FloatingPointError: planned" in outcome.reason
    assert not fresh_cache.exists()


def test_a_crash_costs_one_scenario_and_another_child_does_the_rest(fakes, fresh_cache, children, monkeypatch) -> None:
    monkeypatch.setenv("CROOKED", "segfault")  # at the 100 rows of one scenario
    found = gate.verify(pairs("s0-uniform", NAME, "s4-linear"), quiet)
    assert [o.verdict for o in found] == ["same", "crashed", "same"]
    assert "SIGSEGV" in found[1].reason
    assert len(children) == 2


def test_a_child_that_does_not_come_back_is_ended(fakes, fresh_cache, monkeypatch) -> None:
    monkeypatch.setenv("CROOKED", "sleep")
    monkeypatch.setattr(gate, "START_SECONDS", 1.0)
    monkeypatch.setattr(gate, "TASK_SECONDS", 3.0)
    (outcome,) = gate.verify(pairs(NAME), quiet)
    assert outcome.verdict == "timeout"

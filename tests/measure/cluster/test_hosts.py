"""Which workers become slots: hosts that are alike, each its own CPUs and GPU, and of one run at a time."""

from __future__ import annotations

import time

import pytest

from backends._shared.environment import pytorch
from bench.errors import UsageError
from bench.measure.cluster import likeness, slot
from bench.types import Place
from tests.measure.cluster.plans import SCENARIOS, planned

distributed = pytest.importorskip("distributed", reason="not installed: pip install 'posterior-bench[dask]'")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def test_hosts_that_are_unlike_are_refused_with_the_list(slots, monkeypatch):
    plan, code, real = planned(), likeness.code, slot.facts

    def other(backends, *, dask_worker):
        return {**real(backends, dask_worker=dask_worker), "code": code(backends) | {"numpy": "1.0", "jax": "9"}}

    monkeypatch.setattr(slot, "facts", other)
    with pytest.raises(UsageError, match=r"one set of code.*jax is 9, here absent; numpy is 1.0, here"):
        slots(plan)


_given: list[str] = []
_arrange = slot.arrange


def arranged(share, owner, *, dask_worker):
    """And note what the framework of a child then sees."""
    _arrange(share, owner, dask_worker=dask_worker)
    _given.append(pytorch(Place("cuda"), "matched")["CUDA_VISIBLE_DEVICES"])


def test_every_slot_has_a_gpu_of_its_own_and_what_has_none_left_is_left_out(slots, monkeypatch):
    monkeypatch.setattr(slot, "arrange", arranged)
    plan = planned(scenarios=SCENARIOS[:1], backends=("fake.exact",), device="cuda")
    for devices in (["2", "MIG-8"], ["5"]):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(devices))
        monkeypatch.setattr(likeness, "gpus", lambda devices=devices: devices)
        _given.clear()
        cluster = slots(plan)
        assert _given == devices and cluster.width() == len(devices)
        cluster.close()
    assert "there is no GPU that is not another slot's" in slots.said[-1]


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

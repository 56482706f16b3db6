"""Slots: Dask's own scheduler and workers in this process, with fits of fake contenders."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from bench.measure.cluster import opening, shares, slot
from tests.measure.inprocess import InProcess


@pytest.fixture(scope="module")
def engine():
    """A scheduler and two workers of one thread each, in this process."""
    distributed = pytest.importorskip("distributed")
    quiet = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(**quiet, silence_logs=opening.SILENT) as cluster:
        yield cluster


@pytest.fixture
def slots(engine, fakes, monkeypatch):
    """Open the two workers as slots for a plan; their children are calls in this process, which stays on its CPUs."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one CPU is one slot; two are needed")
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


@pytest.fixture
def elsewhere(monkeypatch):
    """The workers say that they are on another machine."""
    real = slot.facts
    monkeypatch.setattr(slot, "facts", lambda backends, *, dask_worker: {
        **real(backends, dask_worker=dask_worker), "host": "host-other"})  # fmt: skip

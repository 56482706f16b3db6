"""Where verdicts are kept, and children that are counted or are calls in this process."""

from __future__ import annotations

import json

import pytest

from bench.measure import local
from tests.measure.inprocess import InProcess


@pytest.fixture
def fresh_cache(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "verified"


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests of the children that were started."""
    started: list[str] = []

    class Counted(local.FreshChild):
        def __init__(self, request, log, **given):
            started.append(json.loads(request.read_text())["framework"])
            super().__init__(request, log, **given)

    monkeypatch.setattr(local, "FreshChild", Counted)
    return started


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> InProcess:
    """Children are calls in this process; its `requests` are those that would have had a child."""
    executor = InProcess()
    monkeypatch.setattr(local, "Local", lambda: executor)
    return executor

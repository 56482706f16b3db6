"""Whose CPU time a fit had."""

from types import SimpleNamespace

import pytest

from bench.measure import noise

BEFORE = """cpu  0 0 0 0 0 0 0 0 0 0
cpu0 1000 100 200 9000 50 5 5 10 7 0
cpu1 2000 0 0 9000 0 0 0 0 0 0
cpu2 3000 0 0 9000 0 0 0 0 0 0
intr 1 2 3
"""
AFTER = """cpu  0 0 0 0 0 0 0 0 0 0
cpu0 1050 120 210 9100 60 10 10 40 9 0
cpu1 2100 0 0 9000 0 0 0 20 0 0
cpu2 9000 0 0 9000 0 0 0 500 0 0
intr 1 2 3
"""


@pytest.fixture
def looks(monkeypatch, tmp_path):
    """Two looks at cpu0 and cpu1, two seconds apart, in which this process used 0.4 s."""
    stat = tmp_path / "stat"
    monkeypatch.setattr(noise, "STAT", stat)
    monkeypatch.setattr(noise.os, "sysconf", lambda name: 100)

    def call(cpus=(0, 1), seconds=2.0, own=0.4):
        stat.write_text(BEFORE)
        before = noise.look(cpus)
        stat.write_text(AFTER)
        after = noise.look(cpus)
        return before._replace(at=0.0, own=0.0), after._replace(at=seconds, own=own)

    return call


def test_foreign_time_is_what_was_busy_less_what_was_ours(looks):
    found = noise.between(*looks(), 2)
    # busy: cpu0 50 user + 20 nice + 10 system + 5 irq + 5 softirq, cpu1 100: 1.9 s, of which 0.4 s ours; of 2 x 2 s
    assert found.foreign == pytest.approx((1.9 - 0.4) / 4.0)
    assert found.stolen == pytest.approx(0.5 / 4.0)
    assert found.worst == pytest.approx(2.0 / 4.0)


def test_other_cpus_do_not_count(looks):
    assert noise.between(*looks(cpus=(1,), own=1.0), 1).foreign == 0.0


def test_a_window_of_a_few_ticks_says_nothing(looks):
    assert noise.between(*looks(seconds=0.1), 2) is None


def test_a_system_without_counters_says_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(noise, "STAT", tmp_path / "missing")
    assert noise.look([0]) is None
    assert noise.between(None, None, 1) is None


def test_the_workload_is_the_best_of_its_tries(monkeypatch):
    taken = [0.004, 0.002, 0.0007, 0.003, 0.009]
    clock = iter([at for seconds in taken for at in (1.0, 1.0 + seconds)])
    monkeypatch.setattr(noise, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    assert noise.reference_workload() == pytest.approx(0.0007)
    assert next(clock, None) is None


def test_limits_of_budgets_grow_with_the_slowness_of_the_machine(monkeypatch):
    for seconds, factor in ((0.0005, 1.0), (0.004, 4.0), (1.0, 10.0)):
        monkeypatch.setattr(noise, "reference_workload", lambda seconds=seconds: seconds)
        noise.slowness.cache_clear()
        assert noise.slowness() == pytest.approx(factor)
    noise.slowness.cache_clear()

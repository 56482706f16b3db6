"""The instrument held against contenders whose cost is known: what the tables say must be what they did."""

import pandas as pd
import pytest

from bench.measure import noise

SCENARIO = "correlated-rho95"
LATE = 0.5
"""Seconds by which a busy machine may be late; it is never early."""


@pytest.fixture
def table(bench, tmp_path):
    """Rows of one run of fake.instrument with these options."""

    def call(options, *args):
        done = bench("run", "-s", SCENARIO, "-b", f"fake.instrument[{options}]", "--no-score", "--name", "r", *args)
        assert done.code == 0, done.err
        return pd.read_parquet(tmp_path / "results" / "r" / "fits.parquet").sort_values("rep")

    return call


def test_known_cpu_work_is_what_the_phase_says(table):
    rows = table("cpu=0.4", "--reps", "3")
    assert (rows.seconds_sample >= 0.4).all()
    # on shared CPUs wall exceeds CPU seconds by what others had meanwhile, which the kernel tells in ticks
    own = rows.seconds_sample * (1 - rows.disturbance.fillna(0.0))
    assert own.min() < 1.5 * 0.4 + LATE


def test_a_device_that_returns_early_is_waited_for(table):
    rows = table("behind=0.5", "--reps", "3")
    assert ((rows.seconds_sample >= 0.5) & (rows.seconds_sample < 0.5 + LATE)).all()


def test_memory_of_known_size_is_seen(table):
    rows = table("memory=[0,300]", "--reps", "1").set_index("options")
    more = rows.peak_rss_bytes["memory=300"] - rows.peak_rss_bytes["memory=0"]
    # both children load the same modules; their heaps differ by less than 20 MiB
    assert abs(more / 2**20 - 300) < 20


def test_drift_within_a_child_shows_rep_by_rep(table):
    rows = table("drift=0.3", "--reps", "4")
    steps = rows.seconds_sample.diff().dropna()
    assert ((steps > 0.3 - LATE / 2) & (steps < 0.3 + LATE / 2)).all()
    assert rows.seconds_sample.iloc[-1] - rows.seconds_sample.iloc[0] == pytest.approx(0.9, abs=LATE / 2)


def test_a_neighbour_that_takes_a_cpu_is_noticed_and_flagged(table):
    rows = table("foreign=1.0", "--reps", "1", "--threads", "1")
    # bound to the same single CPU: the neighbour has all of it for a second of a rep that takes little more
    assert rows.disturbance.iloc[0] > 0.5
    assert "disturbed: others had" in rows.notes.iloc[0]
    assert rows.attempt.iloc[0] == 1


def test_a_disturbed_child_is_made_again(table):
    rows = table("foreign=0.6", "--reps", "2", "--threads", "1", "--max-disturbance", "0.2")
    assert rows.attempt.tolist() == [3, 3]
    assert rows.status.tolist() == ["ok", "ok"]


@pytest.mark.parametrize(("args", "how"), [((), "forked"), (("--fresh",), "fresh")])
def test_forked_and_fresh_children_tell_how_they_started(table, args, how):
    rows = table("cpu=0.05", *args)
    assert set(rows.started) == {how}
    assert rows.seconds_import.notna().tolist() == [True, False]
    assert set(rows.threads) == {len(__import__("os").sched_getaffinity(0))}
    assert (rows.os_threads >= 1).all()
    quiet = noise.reference_workload()
    # the same loop on the same machine, however busy: within a factor of five
    assert ((rows.reference_seconds > quiet / 5) & (rows.reference_seconds < 5 * quiet)).all()

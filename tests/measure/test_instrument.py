"""The instrument held against contenders whose cost is known: what the tables say must be what they did."""

import os

import pandas as pd
import pytest

from bench.measure import noise
from tests import in_process
from tests.conftest import FAKES

SCENARIO = "correlated-rho95"
LATE = 0.5
"""Seconds by which a busy machine may be late; it is never early."""
KNOWN = ("cpu=0.2", "behind=0.5", "memory=[0,300]", "drift=0.3")


def table(path, *args):
    """Rows of one run."""
    variables = {"BENCH_BACKENDS": str(FAKES)}
    done = in_process.run("run", "-s", SCENARIO, *args, "--no-score", "--name", "r", cwd=path, variables=variables)
    assert done.code == 0, done.err
    return pd.read_parquet(path / "results" / "r" / "fits.parquet").sort_values("rep")


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """Rows of three fits each of one child of each of KNOWN, by its options."""
    contenders = [x for options in KNOWN for x in ("-b", f"fake.instrument[{options}]")]
    rows = table(tmp_path_factory.mktemp("known"), *contenders, "--reps", "3")
    return dict(list(rows.groupby("options")))


def test_known_cpu_work_is_what_the_phase_says(known):
    rows = known["cpu=0.2"]
    assert (rows.seconds_sample >= 0.2).all()
    # on shared CPUs wall exceeds CPU seconds by what others had meanwhile, which the kernel tells in ticks
    own = rows.seconds_sample * (1 - rows.disturbance.fillna(0.0))
    assert own.min() < 1.5 * 0.2 + LATE


def test_a_device_that_returns_early_is_waited_for(known):
    rows = known["behind=0.5"]
    assert ((rows.seconds_sample >= 0.5) & (rows.seconds_sample < 0.5 + LATE)).all()


def test_memory_of_known_size_is_seen(known):
    more = known["memory=300"].peak_rss_bytes.iloc[0] - known["memory=0"].peak_rss_bytes.iloc[0]
    # both children load the same modules; their heaps differ by less than 20 MiB
    assert abs(more / 2**20 - 300) < 20


def test_drift_within_a_child_shows_rep_by_rep(known):
    rows = known["drift=0.3"]
    steps = rows.seconds_sample.diff().dropna()
    assert len(steps) == 2
    assert ((steps > 0.3 - LATE / 2) & (steps < 0.3 + LATE / 2)).all()
    assert rows.seconds_sample.iloc[-1] - rows.seconds_sample.iloc[0] == pytest.approx(0.6, abs=LATE / 2)


def test_a_neighbour_that_takes_a_cpu_is_noticed_and_flagged(tmp_path):
    rows = table(tmp_path, "-b", "fake.instrument[foreign=0.6]", "--reps", "1", "--threads", "1")
    # bound to the same single CPU: the neighbour has all of it for most of a rep that takes little more
    assert rows.disturbance.iloc[0] > 0.5
    assert "disturbed: others had" in rows.notes.iloc[0]
    assert rows.attempt.iloc[0] == 1


def test_a_disturbed_child_is_made_again(tmp_path):
    limit = ("--max-disturbance", "0.2")
    rows = table(tmp_path, "-b", "fake.instrument[foreign=0.4]", "--reps", "2", "--threads", "1", *limit)
    assert rows.attempt.tolist() == [3, 3]
    assert rows.status.tolist() == ["ok", "ok"]


@pytest.mark.parametrize("how", ["forked", "fresh"])
def test_forked_and_fresh_children_tell_how_they_started(known, tmp_path, how):
    fresh = ("-b", "fake.instrument[cpu=0.05]", "--reps", "3", "--fresh")
    rows = known["cpu=0.2"] if how == "forked" else table(tmp_path, *fresh)
    assert set(rows.started) == {how}
    assert rows.seconds_import.notna().tolist() == [True, False, False]
    assert set(rows.threads) == {len(os.sched_getaffinity(0))}
    assert (rows.os_threads >= 1).all()
    quiet = noise.reference_workload()
    # the same loop on the same machine, however busy: within a factor of five
    assert ((rows.reference_seconds > quiet / 5) & (rows.reference_seconds < 5 * quiet)).all()

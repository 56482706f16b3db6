"""Whole runs with contenders whose every property is known."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest

from tests.conftest import FAKES, ROOT

SCENARIO = "correlated-rho95"
DELAY = 0.5
"""Seconds by which a busy machine may wake a sleeper late; it never wakes one early."""


def fits(path, run="r"):
    return pd.read_parquet(path / "results" / run / "fits.parquet")


def metrics(path, run="r"):
    return pd.read_parquet(path / "results" / run / "metrics.parquet")


def test_a_crash_in_the_second_rep_keeps_the_first(bench, tmp_path):
    bench("run", "-s", SCENARIO, "-b", "fake.faulty[fault=second_rep]", "--name", "r", "--reps", "3", "--no-score")
    assert fits(tmp_path).sort_values("rep").status.tolist() == ["ok", "crashed", "crashed"]


@pytest.mark.parametrize("fault", ["sleep", "fork"])
def test_a_timeout_ends_the_whole_process_tree(bench, tmp_path, fault):
    began = time.monotonic()
    contender = f"fake.faulty[fault={fault}]"
    done = bench("run", "-s", SCENARIO, "-b", contender, "--timeout", "3", "--name", "r", "--no-score")
    assert done.code == 3
    assert time.monotonic() - began < 60  # 600 s of sleep was asked for
    assert set(fits(tmp_path).status) == {"timeout"}
    assert "limit of 3 s; for more: --timeout 8" in fits(tmp_path).reason[0]
    assert not left_running(tmp_path)


def test_the_tables_say_what_the_fake_did(bench, tmp_path):
    backends = ["fake.exact", "fake.exact[sleep=0.3]", "fake.exact[recompile=true]", "fake.exact[bias=3.0]"]
    args = [x for b in backends for x in ("-b", b)]
    done = bench("run", "-s", SCENARIO, *args, "--reps", "3", "--name", "r")
    assert done.code == 0, done.err
    table = fits(tmp_path).set_index(["options", "rep"])
    for rep in range(3):
        row = table.loc[("sleep=0.3", rep)]
        assert 0.3 <= row.seconds_sample < 0.3 + DELAY
        assert 0.02 <= row.seconds_warmup < 0.02 + DELAY
        assert row.split == "measured"
        assert row.seconds_total == pytest.approx(
            row.seconds_build + row.seconds_compile + row.seconds_warmup + row.seconds_sample + row.seconds_transfer
        )
        assert bool(row.cold) == (rep == 0)
        assert (row.seconds_compile >= 0.1) == (rep == 0)
        assert (row.seconds_compile == 0.0) == (rep > 0)
        assert pd.isna(row.seconds_import) == (rep > 0)
        again = table.loc[("recompile=true", rep)]
        assert 0.05 <= again.seconds_compile - (0.1 if rep == 0 else 0.0) < 0.05 + DELAY
        assert ("inside a warm rep" in again.notes) == (rep > 0)
    values = metrics(tmp_path)
    cells = fits(tmp_path).drop_duplicates("options").set_index("options").cell
    worst = values[(values.metric == "b2_max") & values.rep.notna()].groupby("cell").value.max()
    # exact draws: E b² = 1/S per function, S = 2000; the largest of 8 functions over 3 reps stays below 20/S
    assert worst[cells[""]] < 20 / 2000
    # three posterior sds off: b² of every mean is 9, that of its centred square (E(3+z)² − 1)²/2 = 40.5
    squares = values[(values.metric == "b2") & values.part.str.startswith("(") & values.rep.notna()]
    assert squares.groupby("cell").value.max()[cells["bias=3.0"]] == pytest.approx(40.5, rel=0.1)
    assert set(fits(tmp_path)[["data_seed", "rep"]].drop_duplicates().groupby("rep").size()) == {1}


def test_data_vary_with_the_rep_and_not_with_the_backend(bench, tmp_path):
    both = ("-b", "fake.exact", "-b", "fake.exact[bias=1.0]")
    bench("run", "-s", SCENARIO, *both, "--rounds", "2", "--name", "r", "--no-score")
    table = fits(tmp_path)
    assert (table.groupby("rep").data_digest.nunique() == 1).all()
    assert table.data_digest.nunique() == 4
    assert table.fit_seed.nunique() == 8


def test_a_missing_framework_is_unavailable_with_the_install_command(bench, tmp_path, monkeypatch):
    (tmp_path / "more" / "absent").mkdir(parents=True)
    (tmp_path / "more" / "absent" / "__init__.py").write_text('PACKAGES = ("no_such_package",)\nEXTRA = "torch"\n')
    (tmp_path / "more" / "absent" / "one.py").write_text('"""Not here."""\nKIND = "mcmc"\n')
    monkeypatch.setenv("BENCH_BACKENDS", f"{FAKES}{os.pathsep}{tmp_path / 'more'}")
    done = bench("run", "-s", SCENARIO, "-b", "absent.one", "-b", "fake.exact", "--name", "r", "--no-score")
    assert done.code == 3  # named without a glob
    absent = fits(tmp_path).query("backend == 'absent.one'")
    assert set(absent.status) == {"unavailable"}
    assert "pip install 'posterior-bench[torch]'" in absent.reason.iloc[0]
    globbed = bench("run", "-s", SCENARIO, "-b", "absent.*", "-b", "fake.exac*", "--name", "q", "--no-score")
    assert globbed.code == 0
    assert bench("run", "-s", SCENARIO, "-b", "absent.*", "--name", "p", "--no-score").code == 4


def left_running(path):
    """Workers and fork servers that work in this folder: neighbours on the machine may run their own."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if {"bench.measure.worker", "bench.measure.forkserver"} & set(process.cmdline()) and process.cwd() == str(
                path
            ):
                found.append(process.pid)
    return found


@pytest.fixture
def start(tmp_path):
    """Start a run in the background; it is gone when the test ends, however that goes."""
    started = []

    def call(*args):
        started.append(popen(tmp_path, *args))
        return started[-1]

    yield call
    for process in started:
        process.kill()
        process.communicate()


def popen(tmp_path, *args):
    return subprocess.Popen(
        [sys.executable, "-m", "bench", "run", "-s", SCENARIO, *args, "--name", "r"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BENCH_BACKENDS": str(FAKES)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, seconds=30.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "what was waited for did not happen"
        time.sleep(0.05)


def test_ctrl_c_ends_the_run_with_tables_a_report_and_every_row(start, tmp_path):
    process = start("-b", "fake.exact", "-b", "fake.faulty[fault=sleep]", "--rounds", "2")
    wait_for(lambda: list((tmp_path / "results" / "r" / "fits").glob(".*-round*.json")))
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    table = fits(tmp_path)
    assert len(table) == 8
    assert "interrupted" in set(table.status) <= {"ok", "interrupted"}
    assert json.loads((tmp_path / "results" / "r" / "run.json").read_text())["state"] == "interrupted"
    assert (tmp_path / "results" / "r" / "report.md").is_file()
    assert "Traceback" not in err
    assert not left_running(tmp_path)


def test_a_killed_parent_leaves_no_child_and_what_was_done_can_be_scored(bench, start, tmp_path):
    process = start("-b", "fake.exact", "-b", "fake.faulty[fault=sleep]", "--rounds", "9", "--timeout", "5")
    wait_for(lambda: len(list((tmp_path / "results" / "r" / "fits").glob("*/draws.npz"))) >= 2)
    process.kill()
    process.wait()
    wait_for(lambda: not left_running(tmp_path))
    done = bench("score", "r")
    assert done.code == 0, done.err
    table = fits(tmp_path)
    assert len(table) == 36
    assert (table.status == "ok").sum() >= 2


def test_what_a_dead_child_left_half_written_is_removed_and_its_neighbours_are_not(tmp_path):
    from bench.measure.job import _tidy
    from bench.store.folder import RunFolder

    folder = RunFolder.create(tmp_path, "r")
    fits_folder = folder.path / "fits"
    (fits_folder / ".abc-0.npz").write_bytes(b"half")
    (fits_folder / ".abc-1.77").mkdir()
    (fits_folder / ".abc-1.77" / "record.json").write_text("{")
    (fits_folder / "abc-0").mkdir()
    (fits_folder / ".def-0.npz").write_bytes(b"another cell's")
    _tidy(folder, "abc")
    assert sorted(p.name for p in fits_folder.iterdir()) == [".def-0.npz", "abc-0"]

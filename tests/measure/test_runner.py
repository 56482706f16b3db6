"""Whole runs with contenders whose every property is known."""

import contextlib
import os
import time

import pandas as pd
import psutil
import pytest

from tests.conftest import FAKES
from tests.measure.inprocess import InProcess

SCENARIO = "correlated-rho95"
DELAY = 0.5
"""Seconds by which a busy machine may wake a sleeper late; it never wakes one early."""


def fits(path, run="r"):
    return pd.read_parquet(path / "results" / run / "fits.parquet")


def metrics(path, run="r"):
    return pd.read_parquet(path / "results" / run / "metrics.parquet")


@pytest.fixture
def here(monkeypatch):
    """Fits are made in this process."""
    monkeypatch.setattr("bench.measure.local.Local", InProcess)


def test_a_timeout_ends_the_whole_process_tree_and_a_crash_in_the_second_rep_keeps_the_first(bench, tmp_path):
    began = time.monotonic()
    contenders = "fake.faulty[fault=[sleep,fork,second_rep]]"
    done = bench("run", "-s", SCENARIO, "-b", contenders, "--reps", "3", "--timeout", "3", "--name", "r", "--no-score")
    assert done.code == 3
    assert time.monotonic() - began < 60  # 600 s of sleep were asked for, twice
    rows = {name: table.sort_values("rep") for name, table in fits(tmp_path).groupby("options")}
    for fault in ("sleep", "fork"):
        table = rows.pop(f"fault={fault}")
        assert set(table.status) == {"timeout"} and len(table) == 3
        assert "limit of 3 s; for more: --timeout 8" in table.reason.iloc[0]
    assert rows.pop("fault=second_rep").status.tolist() == ["ok", "crashed", "crashed"]
    assert not rows and not left_running(tmp_path)


def test_the_tables_say_what_the_fake_did(bench, tmp_path):
    backends = ["fake.exact", "fake.exact[sleep=0.3]", "fake.exact[recompile=true]", "fake.exact[bias=3.0]"]
    args = [x for b in backends for x in ("-b", b)]
    done = bench("run", "-s", SCENARIO, *args, "--reps", "2", "--name", "r")
    assert done.code == 0, done.err
    table = fits(tmp_path).set_index(["options", "rep"])
    for rep in range(2):
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
    # exact draws: E b² = 1/S per function, S = 2000; the largest of 8 functions over 2 reps stays below 20/S
    assert worst[cells[""]] < 20 / 2000
    # three posterior sds off: b² of every mean is 9, that of its centred square (E(3+z)² − 1)²/2 = 40.5
    squares = values[(values.metric == "b2") & values.part.str.startswith("(") & values.rep.notna()]
    assert squares.groupby("cell").value.max()[cells["bias=3.0"]] == pytest.approx(40.5, rel=0.1)
    assert set(fits(tmp_path)[["data_seed", "rep"]].drop_duplicates().groupby("rep").size()) == {1}


def test_data_vary_with_the_rep_and_not_with_the_backend(here, bench, tmp_path):
    both = ("-b", "fake.exact", "-b", "fake.exact[bias=1.0]")
    bench("run", "-s", SCENARIO, *both, "--rounds", "2", "--name", "r", "--no-score")
    table = fits(tmp_path)
    assert (table.groupby("rep").data_digest.nunique() == 1).all()
    assert table.data_digest.nunique() == 4
    assert table.fit_seed.nunique() == 8


def test_a_missing_framework_is_unavailable_with_the_install_command(here, bench, tmp_path, monkeypatch):
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

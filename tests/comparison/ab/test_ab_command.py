"""`bench ab` as a user types it."""

import json
import os

import pandas as pd
import pytest

from bench import pipeline
from bench.measure.local import Local
from tests.conftest import FAKES, ROOT
from tests.measure.inprocess import InProcess
from tests.measure.test_faults import plug_in

SLOW = ("fake.instrument[cpu=0.05]", "fake.instrument[cpu=0.15]")
SCENARIO = ("-s", "s0-uniform")


@pytest.fixture
def here(monkeypatch):
    """Fits of this checkout are made in this process; only another one's need processes."""

    def executor(code=None):
        return InProcess() if code is None else Local(code)

    monkeypatch.setattr("bench.measure.local.Local", executor)
    monkeypatch.setattr("bench.comparison.session.Local", executor)


@pytest.mark.slow
def test_a_slower_option_set_is_a_regression(bench, tmp_path):
    done = bench("ab", *SLOW, *SCENARIO, "--rounds", "4", "--max-rounds", "8", "--name", "x", "--format", "json")
    assert done.code == 1, done.err
    rows = {r["metric"]: r for r in done.json["rows"]}
    assert rows["seconds_total"]["verdict"] == "worse"
    # three times the CPU seconds; on a busy machine each side may be slowed by up to half as much again
    assert 2.0 < rows["seconds_total"]["change"] < 4.5
    assert rows["b2_avg"]["verdict"] in {"same", "inconclusive"}
    assert done.json["sides"] == list(SLOW)
    for letter in "ab":
        folder = tmp_path / "results" / f"x-{letter}"
        assert json.loads((folder / "run.json").read_text())["ab"] == {"side": letter, "of": SLOW["ab".index(letter)]}
        assert (folder / "report.html").is_file()
        assert len(pd.read_parquet(folder / "fits.parquet")) >= 12
    better = bench("compare", "x-b", "x-a", "--format", "json")
    assert {r["verdict"] for r in better.json["rows"]} == {"new", "missing"}  # other options are other cells


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no repository")
def test_a_revision_runs_its_own_code(bench, tmp_path, here):
    done = bench(
        "ab", "HEAD", ".", *SCENARIO, "-b", "fake.instrument[cpu=0.02]", "--rounds", "3", "--max-rounds", "3",
        "--reps", "2", "--threads", "1", "--name", "r", "--format", "json",
    )  # fmt: skip
    assert done.code in {0, 1, 6}, done.err
    a, b = (json.loads((tmp_path / "results" / f"r-{x}" / "run.json").read_text()) for x in "ab")
    assert a["ab"]["of"].startswith("HEAD (") and b["ab"]["of"] == "the working tree"
    assert a["commit"].startswith(a["ab"]["of"][6:16]) and not a["dirty"]
    for x in "ab":
        fits = pd.read_parquet(tmp_path / "results" / f"r-{x}" / "fits.parquet")
        assert set(fits.status) == {"ok"} and len(fits) == 6
        assert set(fits.started) == {"forked"}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("torch.adam", "main", *SCENARIO), "unknown backend 'main'"),
        (("no-such", "."), "neither a backend nor a revision"),
        (SLOW, "compared on the scenarios of -s"),
        ((*SLOW, *SCENARIO, "-b", "numpy.gd"), "without -b and --suite"),
        ((*SLOW, *SCENARIO, "--rounds", "2"), "--rounds 2 is not allowed; at least 3"),
        ((*SLOW, *SCENARIO, "--max-rounds", "3"), "--max-rounds 3 is not allowed; at least --rounds, 5"),
        ((*SLOW, *SCENARIO, "--fail-on", "seconds>fast"), "cannot read 'seconds>fast'"),
    ],
)
def test_bad_input_is_one_sentence(bench, tmp_path, args, words):
    done = bench("ab", *args)
    assert done.code == 2, done.out + done.err
    assert words in done.err and "Traceback" not in done.err
    assert not (tmp_path / "results").exists()


def test_a_base_of_which_nothing_finished_is_no_baseline(bench, here):
    faulty = ("fake.faulty[fault=exception]", "fake.faulty[fault=none]")
    done = bench("ab", *faulty, *SCENARIO, "--rounds", "3", "--max-rounds", "3")
    assert done.code == 5
    assert "no fit of fake.faulty[fault=exception] finished" in done.err


def test_a_base_that_is_not_installed_is_said_before_anything_is_measured(bench, tmp_path, monkeypatch):
    plug_in(tmp_path / "more", "absent", 'KIND = "mcmc"\n')
    (tmp_path / "more" / "absent" / "__init__.py").write_text('PACKAGES = ("no_such_package",)\n')
    monkeypatch.setenv("BENCH_BACKENDS", f"{FAKES}{os.pathsep}{tmp_path / 'more'}")
    done = bench("ab", "absent.one", "fake.exact", *SCENARIO)
    assert done.code == 5 and not (tmp_path / "results").exists()
    assert "no baseline: absent.one cannot be measured: " in done.err and "nothing was measured" in done.err


def test_a_base_of_a_wrong_target_is_said_before_anything_is_measured(bench, tmp_path, monkeypatch):
    why = "wrong target: another density"
    monkeypatch.setattr(pipeline, "verify", lambda folder, plan, *rest: {p.cell.id: why for p in plan.cells})
    done = bench("ab", "fake.exact", "fake.prior", *SCENARIO)
    assert done.code == 5 and not list((tmp_path / "results").iterdir())
    assert f"no baseline: fake.exact cannot be measured: {why}; nothing was measured" in done.err


@pytest.mark.slow
def test_a_wrong_target_is_not_timed(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("CROOKED", "jacobian")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))  # the fault is no part of what a verdict is kept by
    done = bench("ab", "fake.exact", "crooked.exact", *SCENARIO, "--rounds", "3", "--max-rounds", "3", "--name", "w")
    assert done.code == 1, done.err
    fits = pd.read_parquet(tmp_path / "results" / "w-b" / "fits.parquet")
    assert set(fits.status) == {"invalid"} and fits.reason.str.contains("wrong target").all()
    assert set(pd.read_parquet(tmp_path / "results" / "w-a" / "fits.parquet").status) == {"ok"}

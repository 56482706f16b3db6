"""`bench check`: what is wrong with a run or a backend is found, and nothing else is."""

import json
import shutil
import sys
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from bench.catalog.backends import backend, forget
from bench.check import answers
from bench.check import backend as of_backend
from bench.check import run as of_run
from bench.measure.local import Local
from bench.store.folder import RunFolder
from bench.types import Fit
from tests.conftest import FAKES
from tests.measure.inprocess import InProcess


@pytest.fixture
def run(copied_run):
    return copied_run


def problems_of(findings):
    return [f for f in findings if f.state == "problem"]


def found(run):
    """Problems of a run, in this process."""
    return problems_of(of_run.findings(RunFolder(run), lambda text: None))


def test_a_whole_run_has_no_problem_and_is_not_touched(bench, fakes, run):
    before = {f: f.stat().st_mtime_ns for f in run.rglob("*")}
    assert found(run) == []
    done = bench("check", "latest")
    assert done.code == 0 and "no problems found" in done.out
    assert {f: f.stat().st_mtime_ns for f in run.rglob("*")} == before


def test_the_command_says_what_it_found_as_text_and_as_json(bench, run):
    drop(run, "report.md")
    done = bench("check", "r")
    assert done.code == 3 and "problem report.md: not there" in done.out and "→ bench score" in done.out
    said = bench("check", "r", "--json").json
    assert said["exit"] == 3
    (problem,) = [f for f in said["findings"] if f["state"] == "problem"]
    assert problem == {"state": "problem", "where": "report.md", "what": "not there",
                       "mend": "bench score results/r"}  # fmt: skip


def rewrite(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def drop(run, name):
    file = run / name
    shutil.rmtree(file) if file.is_dir() else file.unlink()


def first_fit(run, rep=0):
    return sorted(run.glob(f"fits/*-{rep}"))[0]


def draws_changed(run, change):
    import h5py

    with h5py.File(first_fit(run) / "draws.nc", "r+") as file:
        change(file["posterior"])


def outside(posterior):
    posterior["sigma"][0, 0] = -1.0


def not_finite(posterior):
    posterior["weights"][0, 0, 0] = np.nan


def no_weights(posterior):
    del posterior["weights"]


def table_changed(run, name, change):
    file = run / name
    change(pd.read_parquet(file)).to_parquet(file, index=False)


DAMAGE = {
    "no command": (lambda r: _without(r / "run.json", "command"), "it has no command"),
    "broken off": (lambda r: rewrite(r / "run.json", state="running"), "broken off"),
    "no fit": (lambda r: shutil.rmtree(first_fit(r)), "reps 0 were not made"),
    "record": (lambda r: (first_fit(r) / "record.json").write_text("{"), "record.json is damaged"),
    "backend digest": (lambda r: rewrite(first_fit(r) / "record.json", backend_digest="x"), "backend digests differ"),
    "scenario": (lambda r: rewrite(first_fit(r) / "record.json", scenario_digest="x"), "scenario digests differ"),
    "data digest": (lambda r: rewrite(first_fit(r) / "record.json", data_digest="x"), "fitted different data"),
    "children": (lambda r: rewrite(first_fit(r) / "record.json", child="x"), "round 0 was made by several children"),
    "cold": (lambda r: rewrite(first_fit(r, 1) / "record.json", cold=True), "cold where warm"),
    "no draws": (lambda r: (first_fit(r) / "draws.nc").unlink(), "draws.nc is damaged (not there)"),
    "torn draws": (lambda r: (first_fit(r) / "draws.nc").write_bytes(b"\x89HDF"), "draws.nc is damaged"),
    "support": (lambda r: draws_changed(r, outside), "outside its support"),
    "not finite": (lambda r: draws_changed(r, not_finite), "non-finite"),
    "names": (lambda r: draws_changed(r, no_weights), "instead of"),
    "no table": (lambda r: drop(r, "metrics.parquet"), "not there"),
    "no text": (lambda r: drop(r, "curves.csv"), "not there"),
    "no report": (lambda r: drop(r, "report.html"), "not there"),
    "other text": (lambda r: (r / "fits.csv").write_text("run\n1\n"), "it is not fits.parquet in text"),
    "other row": (lambda r: table_changed(r, "fits.parquet", lambda t: t.assign(seconds_total=1.0)), "seconds_total"),
    "fewer rows": (lambda r: table_changed(r, "fits.parquet", lambda t: t.iloc[1:]), "rows of 4 planned fits"),
    "no scores": (lambda r: table_changed(r, "metrics.parquet", lambda t: t[t.rep != 1]), "have no scores"),
    "infinite": (lambda r: table_changed(r, "metrics.parquet", lambda t: t.assign(value=np.inf)), "not finite"),
    "half a file": (lambda r: (r / ".run.json.77").write_text("{"), "left by a process that was killed"),
    "half a fit": (lambda r: (r / "fits" / ".abc-0.77").mkdir(), "left by a process that was killed"),
    "half draws": (lambda r: (first_fit(r) / ".draws.nc.77").write_text(""), "left by a process that was killed"),
}  # fmt: skip


def _without(file, key):
    file.write_text(json.dumps({k: v for k, v in json.loads(file.read_text()).items() if k != key}))


@pytest.mark.parametrize("damage", DAMAGE)
def test_each_damage_is_found_with_the_step_that_mends_it(fakes, run, damage):
    do, words = DAMAGE[damage]
    do(run)
    problems = found(run)
    assert any(words in f.what for f in problems), problems
    assert all(f.mend for f in problems)


def test_tables_of_an_earlier_version_are_sound_and_what_adds_to_them_is_named(fakes, run):
    table_changed(run, "fits.parquet", lambda t: t.drop(columns="environment"))
    pd.read_parquet(run / "fits.parquet").to_csv(run / "fits.csv", index=False)
    assert found(run) == []
    (said,) = [f for f in of_run.findings(RunFolder(run), lambda text: None) if f.where == "fits.parquet"]
    assert said.state == "note" and "without environment" in said.what and "score" in said.mend
    table_changed(run, "fits.parquet", lambda t: t.assign(seconds_total=1.0))
    assert any("differ from their records in seconds_total" in f.what for f in found(run))


def test_the_command_it_names_mends_it(bench, run):
    (run / "fits" / ".abc-0.77").mkdir()
    shutil.rmtree(first_fit(run, 1))
    drop(run, "metrics.csv")
    mends = {f.mend.replace(str(run.parents[1]) + "/", "") for f in found(run)}
    assert {m.partition("bench ")[2] for m in mends} == {"run --resume results/r", "score results/r"}
    with mock.patch("bench.measure.local.Local", InProcess):
        assert bench("run", "--resume", "results/r").code == 0
    assert found(run) == []


def test_what_is_neither_run_nor_backend_is_a_usage_error(bench, run):
    done = bench("check", "fake.exat")
    assert done.code == 2 and "did you mean fake.exact" in done.err


def backend_file(tmp_path, name, body, **replaced):
    folder = tmp_path / "more" / "mine"
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("__init__.py", "runtime.py"):
        shutil.copy(FAKES / "fake" / file, folder / file)
    source = (FAKES / "fake" / "exact.py").read_text().replace("from backends.fake", "from backends.mine")
    source = source.replace('KIND = "mcmc"', 'KIND = "mcmc"\nFAMILIES = ("linear",)').replace("time.sleep(0.1)", "pass")
    for old, new in [*body]:
        assert old in source, old
        source = source.replace(old, new)
    (folder / f"{name}.py").write_text(source)
    return folder


def forget_own():
    """Modules of the framework `mine` are imported anew: each test has its own."""
    for name in [name for name in sys.modules if name.startswith("backends.mine")]:
        del sys.modules[name]


FAULTS = {
    "fine": ([], ""),
    "seed ignored": ([("default_rng(seed)", "default_rng(7)")], "another seed gives the same draws"),
    "no seed": ([("default_rng(seed)", "default_rng()")], "the same seed gives other draws"),
    "keeps data": (
        [("    reference = family(data.family).reference(data)", "    data = KEPT.setdefault('data', data)\n"
          "    reference = family(data.family).reference(data)"), ("def build", "KEPT = {}\n\n\ndef build")],
        "a program that has fitted other data before gives other draws",
    ),
    "biased": ([("bias: float = option(0.0", "bias: float = option(1.0")], "standard errors off the reference"),
    "narrow": ([("spread: float = option(1.0", "spread: float = option(0.5")], "times that of the reference"),
    "names": ([("        name: _changed", "        name + '_': _changed")], "instead of"),
    "shape": ([("*array.shape[1:]\n", "*array.shape[1:], 1\n")], "has shape"),
    "raises": ([("    budget, options = program", "    raise RuntimeError('planned')")], "RuntimeError: planned"),
    "dies": ([("    budget, options = program", "    import os; os.abort()")], "SIGABRT"),
    "family": ([('("linear",)', '("lineal",)')], "FAMILIES names 'lineal'"),
    "no draw": ([("def draw(state)", "def drawn(state)")], "it defines no draw"),
    "not served": ([("    assert not any(", "    from bench.types import Unsupported\n    raise Unsupported('never')\n"
                     "    assert not any(")], "no scenario of it is supported"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_backend_s_fault_is_found_and_a_good_one_has_none(tmp_path, monkeypatch, fault):
    changes, words = FAULTS[fault]
    folder = backend_file(tmp_path, "one", changes)
    monkeypatch.setenv("BENCH_BACKENDS", f"{FAKES}:{folder.parent}")
    forget()
    # what a process keeps, and how one ends, is seen in processes of its own
    executor = Local() if fault in ("keeps data", "dies") else InProcess()
    with mock.patch.dict(sys.modules):
        forget_own()
        problems = problems_of(of_backend.findings(backend("mine.one"), {}, lambda text: None, executor))
    forget()
    assert bool(problems) == bool(words), problems
    assert any(words in f.what for f in problems) or not words, problems


def test_what_is_merely_odd_is_a_note(bench, tmp_path, monkeypatch):
    folder = backend_file(tmp_path, "one", [
        ('option(0.0, "seconds of sleep in sampling")', "0.0"), ('"gradients": 1000, ', ""),
        ("def draw", "\n".join(f"N{i} = {i}" for i in range(60)) + "\n\n\ndef draw"),
    ])  # fmt: skip
    monkeypatch.setenv("BENCH_BACKENDS", str(folder.parent))
    with mock.patch.dict(sys.modules), mock.patch("bench.measure.local.Local", InProcess):
        forget_own()
        done = bench("check", "mine.one")
    assert done.code == 0, done.out
    for words in ("option sleep has no help", "stats have no `gradients`", "lines of code; most backends"):
        assert words in done.out


def fit_with(**draws):
    return Fit("mcmc", {k: np.asarray(v, float) for k, v in draws.items()})


def test_answers_are_compared_bit_for_bit():
    one, other = fit_with(a=[[1.0, 2.0]], b=[[1.0, 2.0]]), fit_with(a=[[1.0, 2.0]], b=[[1.0, np.nextafter(2.0, 3)]])
    assert answers.reproducible(one, one) == "" and "of b" in answers.reproducible(one, other)
    assert "of a" in answers.seeded(one, other) and answers.seeded(one, fit_with(a=[[0.0, 1.0]], b=[[3.0, 4.0]])) == ""
    assert "does not depend on its argument" in answers.unbiased_by_another(one, one, one)

"""Whole calibrations with contenders whose calibration is known, and what becomes of those that break."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from unittest import mock

import pandas as pd
import pytest

from tests import in_process
from tests.conftest import FAKES, ROOT
from tests.measure.inprocess import InProcess

SCENARIO = "s0-uniform"


def folder(path, name="c"):
    return path / "results" / name


def table(path, name, run="c"):
    return pd.read_parquet(folder(path, run) / f"{name}.parquet")


EXACT, PRIOR = "exact.posterior[draws=100]", "fake.prior[draws=100]"
NARROW, BIASED = "fake.exact[draws=100,spread=0.5]", "fake.exact[bias=1.0,draws=100]"


@pytest.fixture
def here(monkeypatch):
    """Fits are made in this process."""
    monkeypatch.setattr("bench.measure.local.Local", InProcess)


def calibrated(path, contenders, *args):
    """What a calibration in this process says."""
    named = [x for b in contenders for x in ("-b", b)]
    command = ("calibrate", *named, "-s", "correlated-rho95", *args, "--name", "c", "--json")
    return in_process.run(*command, cwd=path, variables={"BENCH_BACKENDS": str(FAKES)}).json


@pytest.fixture(scope="module")
def controls(tmp_path_factory):
    """Exact draws, the prior, half the spread, a bias of one posterior sd; 50 data sets, 400 draws of each."""
    path = tmp_path_factory.mktemp("controls")
    with mock.patch("bench.measure.local.Local", InProcess):
        said = calibrated(path, [EXACT, PRIOR, NARROW, BIASED], "--datasets", "50")
    return path, said, {cell["backend"]: cell for cell in said["cells"]}


def test_exact_draws_are_calibrated(controls):
    _, said, cells = controls
    exact = cells[EXACT]
    assert exact["state"] == "calibrated" and not any(q["outside"] for q in exact["quantities"])
    assert exact["datasets"] == {"planned": 50, "ok": 50}
    for found in exact["coverage"]:
        assert found["low"] <= found["level"] <= found["high"]
    assert said["exit"] == 3  # because of the others


def test_the_prior_as_posterior_is_found_by_the_log_likelihood_alone(controls):
    """A truth from the prior is uniform among draws from the prior: no parameter shows that the data were ignored."""
    prior = controls[2][PRIOR]
    assert prior["state"] == "miscalibrated"
    assert [q["quantity"] for q in prior["quantities"] if q["outside"]] == ["log likelihood"]
    assert prior["quantities"][-1]["words"].startswith("biased low")


def test_half_the_spread_is_too_narrow_and_a_shift_is_a_bias(controls):
    narrow, biased = controls[2][NARROW], controls[2][BIASED]
    assert [q["words"] for q in narrow["quantities"][:3]] == ["too narrow"] * 3
    # a Normal of half the spread covers 2Φ(1.645/2) − 1 = 0.589 of what it calls 90 %, with a Wilson interval of ±0.14
    assert narrow["coverage"][2]["share"] == pytest.approx(0.589, abs=0.14)
    assert [q["words"] for q in biased["quantities"][:4]] == ["biased high"] * 4


def test_the_tables_hold_every_data_set_and_agree_with_the_verdicts(controls):
    path, _, cells = controls
    ranks, fits = table(path, "calibration"), table(path, "datasets")
    assert len(fits) == 4 * 50 and set(fits.status) == {"ok"}
    assert (fits.groupby("dataset").data_digest.nunique() == 1).all()  # the same data for every backend
    assert fits.data_digest.nunique() == 50 and fits.fit_seed.nunique() == 4 * 50
    assert len(ranks) == 4 * 50 * 5
    assert (ranks["rank"].between(0, ranks.draws)).all()
    for backend, cell in cells.items():
        rows = ranks[ranks.backend == backend]
        assert set(rows.draws) == {cell["draws"]}
        for i, level in enumerate((50, 80, 90, 95)):
            of_parameters = rows[rows.quantity != "log likelihood"]
            assert of_parameters[f"inside_{level}"].mean() == pytest.approx(cell["coverage"][i]["share"])
        miss = ~rows.inside_90
        assert (rows.score_90[~miss] == rows.width_90[~miss]).all() and (
            rows.score_90[miss] > rows.width_90[miss]
        ).all()
    csv = pd.read_csv(folder(path) / "calibration.csv")
    assert (csv["rank"].to_numpy() == ranks["rank"].to_numpy()).all()
    assert json.loads((folder(path) / "run.json").read_text())["kind"] == "calibration"


def test_reports_and_pictures_say_the_same(controls):
    path, _, cells = controls
    page, text = ((folder(path) / f"calibration.{s}").read_text() for s in ("html", "md"))
    for cell in cells.values():
        assert cell["sentence"][1:] in page
    assert page.count("data:image/svg+xml;base64,") == 4
    assert "<script" not in page and "http://" not in page.replace("http://www.w3.org", "")
    assert "too narrow" in text and "Bonferroni" in text and "50 data sets; 200 are the least" in text
    plots = sorted(p.name for p in (folder(path) / "plots").iterdir())
    assert len(plots) == 8 and "correlated-rho95-exact.posterior-draws=100-ecdf.svg" in plots
    assert not [p for p in folder(path).rglob(".*")]


def test_other_verbs_take_it_for_what_it_is(controls, bench):
    path, _, _ = controls
    results = str(path / "results")
    for verb in (["score"], ["report"], ["plot", "--kind", "trace"], ["export"]):
        done = bench(verb[0], "c", *verb[1:], "--results", results)
        assert done.code == 2, done.out
        assert "is a calibration, not a run" in done.err and "calibrate --resume" in done.err
    assert "unknown run" in bench("score", "latest", "--results", results).err
    assert bench("list", "runs", "--results", results, "--json").json[0]["kind"] == "calibration"
    assert "calibration.html" in bench("info", "c", "--results", results).out
    assert "no runs" in bench("query", "select 1", "--results", results).err


def test_a_run_s_report_shows_the_calibrations_of_its_cells(controls, here, bench, tmp_path):
    path, _, _ = controls
    shutil.copytree(path / "results", tmp_path / "results")
    backends = ["-b", EXACT, "-b", NARROW, "-b", "fake.exact[draws=100,spread=0.4]", "--reps", "1"]
    assert bench("run", "-s", "correlated-rho95", *backends, "--name", "r", drawn=True).code == 0
    page = (tmp_path / "results" / "r" / "report.html").read_text()
    shown = re.findall(
        r"Ranks of the truth among the draws of ([^<]*?) on correlated-rho95 \(calibration c: (\w+)\)", page
    )
    assert set(shown) == {(EXACT, "calibrated"), (NARROW, "miscalibrated")}
    manifest = json.loads((folder(tmp_path) / "run.json").read_text())
    digests = {cell: [scenario, "changed"] for cell, (scenario, _) in manifest["digests"].items()}
    (folder(tmp_path) / "run.json").write_text(json.dumps(manifest | {"digests": digests}))
    assert bench("report", "r", drawn=True).code == 0
    assert "Ranks of the truth" not in (tmp_path / "results" / "r" / "report.html").read_text()


ARGS = ["-s", SCENARIO, "-b", "fake.exact[sleep=0.1]", "--datasets", "25"]


def start(path, *args):
    return subprocess.Popen(
        [sys.executable, "-m", "bench", "calibrate", *args],
        cwd=path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BENCH_BACKENDS": str(FAKES)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for_lines(path, count, run="c"):
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        lines = sum(f.read_bytes().count(b"\n") for f in folder(path, run).glob("cells/*.jsonl"))
        if lines >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"{count} data sets did not end within a minute")


@pytest.mark.slow
def test_a_killed_and_an_interrupted_calibration_go_on_to_the_same_table(here, bench, tmp_path):
    assert bench("calibrate", *ARGS, "--name", "whole").code == 0
    process = start(tmp_path, *ARGS, "--name", "c")
    wait_for_lines(tmp_path, 3)
    process.kill()
    process.communicate()
    ledger = next(folder(tmp_path).glob("cells/*.jsonl"))
    with ledger.open("ab") as stream:  # as a kill in the middle of a write would leave it
        stream.write(b'{"number": 24, "sta')
    before = ledger.read_bytes().count(b"\n")
    assert 3 <= before < 25
    process = start(tmp_path, "--resume", "c")
    wait_for_lines(tmp_path, before + 3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "to go on: python -m bench calibrate --resume results/c" in out
    partial = table(tmp_path, "datasets")
    assert len(partial) == 25 and 0 < (partial.status == "interrupted").sum() < 22
    assert "Interrupted" in (folder(tmp_path) / "calibration.md").read_text()
    done = bench("calibrate", "--resume", "c")
    assert done.code == 0, done.err
    assert json.loads((folder(tmp_path) / "run.json").read_text())["state"] == "finished"
    frames = [table(tmp_path, "calibration", run).drop(columns="run") for run in ("c", "whole")]
    pd.testing.assert_frame_equal(*frames)


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory):
    """The folder of a calibration that was killed after its first data set."""
    path = tmp_path_factory.mktemp("broken-off")
    process = start(path, "-s", SCENARIO, "-b", "fake.exact[sleep=0.2]", "--name", "c")
    wait_for_lines(path, 1)
    process.kill()
    process.communicate()
    return folder(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["versions"].update(numpy="1.0"), "numpy was 1.0 and is"),
        (lambda m: m["digests"].update({k: [v[0], "0" * 16] for k, v in m["digests"].items()}), "source of backend"),
        (lambda m: m["digests"].update({k: ["0", v[1]] for k, v in m["digests"].items()}), "the source of scenario"),
        (lambda m: m.update(seed=1) or m["options"].update(seed=1), "gives other data now"),
    ],
)
def test_a_calibration_does_not_go_on_with_anything_else(bench, broken_off, tmp_path, change, words):
    shutil.copytree(broken_off, folder(tmp_path))
    file = folder(tmp_path) / "run.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest))
    done = bench("calibrate", "--resume", "c")
    assert done.code == 2
    assert words in done.err and "Traceback" not in done.err


BROKEN = {
    # status of all that have not ended well, how many have, words of a reason
    "exception": ("failed", 0, "RuntimeError: planned"),
    "nan": ("invalid", 0, "non-finite"),
    "unsupported": ("unsupported", 0, "this prior is not for me"),
    "second_rep": ("crashed", 3, "SIGSEGV"),
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """A calibration of a contender with each of these faults."""
    path = tmp_path_factory.mktemp("broken")
    return path, calibrated(path, [f"fake.faulty[fault=[{','.join(BROKEN)}]]"], "--datasets", "20")


@pytest.mark.parametrize("fault", BROKEN)
def test_fits_that_fail_are_rows_with_reasons(broken, fault):
    path, said = broken
    status, good, words = BROKEN[fault]
    assert said["exit"] == 3
    (cell,) = (c for c in said["cells"] if c["backend"] == f"fake.faulty[fault={fault}]")
    assert cell["datasets"] == {"planned": 20, status: 20 - good} | ({"ok": good} if good else {})
    fits = table(path, "datasets").query(f"backend == 'fake.faulty[fault={fault}]'")
    assert len(fits) == 20 and fits.reason.str.contains(words).sum() >= 3
    assert "planned &lt;script&gt;" in (folder(path) / "calibration.html").read_text()


def test_a_data_set_has_a_limit_of_time(tmp_path):
    said = calibrated(tmp_path, ["fake.faulty[fault=sleep]"], "--datasets", "20", "--timeout", "1")
    assert said["exit"] == 3 and said["cells"][0]["datasets"] == {"planned": 20, "timeout": 20}
    assert table(tmp_path, "datasets").reason.str.contains("limit of 1 s for one data set").sum() >= 3


def test_a_child_that_dies_costs_the_data_set_it_died_of(broken):
    """Each child of this one dies of its second data set; after three the rest is not tried."""
    path, said = broken
    fits = table(path, "datasets").query("backend == 'fake.faulty[fault=second_rep]'").sort_values("dataset")
    assert fits.status.tolist() == ["ok", "crashed"] * 3 + ["crashed"] * 14
    reasons = fits.reason.tolist()
    assert "SIGSEGV" in reasons[1] and "not tried: 3 children of this cell had died" in reasons[10]
    assert "3 data sets were fitted" in said["cells"][-1]["sentence"]


def test_a_sampler_of_few_effective_draws_gets_no_verdict(here, bench):
    few = "fake.exact[chains=2,draws=6]"
    done = bench("calibrate", "-s", SCENARIO, "-b", few, "--datasets", "20", "--name", "c", "--json")
    assert (done.code, done.json["cells"][0]["state"]) == (3, "undetermined"), done.err
    assert "effective draws" in done.json["cells"][0]["sentence"]


def test_what_cannot_be_calibrated_says_why(here, bench, tmp_path):
    done = bench("calibrate", "-s", "s4-linear", "-b", "fake.exact", "--datasets", "20", "--name", "flat", "--json")
    assert (done.code, done.json["cells"][0]["state"]) == (3, "unsupported")
    assert "the prior of weights is flat" in done.json["cells"][0]["sentence"]
    points = bench("calibrate", "-s", SCENARIO, "-b", "numpy.*", "--datasets", "20", "--name", "c")
    assert points.code == 4  # named by a glob, so that nothing ran
    assert "a point has no spread" in points.out
    assert set(table(tmp_path, "datasets").status) == {"unsupported"}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["-b", "fake.exact"], "needs scenarios and backends"),
        (["-s", SCENARIO, "-b", "fake.exact", "--datasets", "19"], "--datasets 19 is not allowed; at least 20"),
        (["-s", "s0-unifrm", "-b", "fake.exact"], "did you mean s0-uniform"),
        (["--resume", "nothing"], "unknown calibration"),
        (["--resume", "nothing", "--seed", "3"], "--seed: a resumed calibration"),
        (["-s", SCENARIO, "-b", "fake.exact", "--timeout", "0"], "--timeout 0"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2_and_leaves_nothing(bench, tmp_path, args, words):
    done = bench("calibrate", *args)
    assert (done.code, len(done.err.strip().splitlines())) == (2, 1), done.err
    assert words in done.err
    assert not (tmp_path / "results").exists()


def test_the_child_sees_no_tables_and_no_framework():
    code = "import sys, bench.calibration.worker; print(*{m.partition('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {"pandas", "xarray", "arviz", "pyarrow", "rich", "torch", "jax"} & set(loaded.split())


def test_its_help_imports_no_numbers():
    code = "import sys; sys.argv = ['bench', 'calibrate', '--help']\nfrom bench.cli import main\ntry:\n    main()\n"
    code += "except SystemExit:\n    print(*{m.partition('.')[0] for m in sys.modules})"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "Exit codes: 0 every backend is calibrated" in shown
    assert not {"numpy", "pandas", "scipy", "matplotlib"} & set(shown.splitlines()[-1].split())

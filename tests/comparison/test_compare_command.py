"""`bench compare` on runs of a fake contender, before and after its code changed."""

import json
import shutil
import subprocess
import sys
from unittest import mock

import pandas as pd
import pytest

from tests import in_process
from tests.conftest import FAKES, ROOT
from tests.measure.inprocess import InProcess

CELLS = ["-s", "s0-uniform", "-b", "fake.exact", "-b", "fake.faulty[fault=none]"]


def bench_run(path, backends, name, *args):
    words = ("run", *args, "--rounds", "3", "--reps", "2", "--name", name, "--json")
    forget_fakes()
    with mock.patch("bench.measure.local.Local", InProcess):
        done = in_process.run(*words, cwd=path, variables={"BENCH_BACKENDS": str(backends)})
    forget_fakes()
    return done


def forget_fakes():
    """They are imported again, from the folder that is named then."""
    for name in [name for name in sys.modules if name.startswith("backends.fake")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """`before`, and `after`: fake.exact sleeps 0.3 s more, fake.faulty fails."""
    path = tmp_path_factory.mktemp("compared")
    assert bench_run(path, FAKES, "before", *CELLS).code in (0, 3)
    shutil.copytree(FAKES, path / "fakes")
    exact, faulty = path / "fakes/fake/exact.py", path / "fakes/fake/faulty.py"
    exact.write_text(exact.read_text().replace("time.sleep(options.sleep)", "time.sleep(options.sleep + 0.3)"))
    faulty.write_text(faulty.read_text().replace("CALLS[0] += 1", "raise RuntimeError('planned')"))
    assert bench_run(path, path / "fakes", "after", *CELLS).code == 3
    return path / "results"


@pytest.fixture
def results(runs, tmp_path):
    """A copy of both runs that a test may damage, where the command looks by default."""
    shutil.copytree(runs, tmp_path / "results")
    return tmp_path / "results"


def rows(done):
    return {(r["backend"].partition("[")[0], r["metric"]): r for r in done.json["rows"]}


def edit(file, change):
    file.write_text(json.dumps(change(json.loads(file.read_text()))))


def test_a_regression_is_exit_1_and_says_what_changed(bench, results):
    done = bench("compare", "before", "after", "--format", "json")
    assert done.code == 1, done.err
    found = rows(done)
    slow = found["fake.exact", "seconds_total"]
    assert (slow["verdict"], slow["regression"]) == ("worse", True)
    assert slow["change"] > 3
    assert "code-changed: backend" in slow["flags"]
    assert found["fake.exact", "b2_avg"]["verdict"] == "same"
    assert found["fake.exact", "b2_avg"]["reason"] == "identical in every fit"
    assert found["fake.faulty", "status"]["verdict"] == "worse"
    assert "planned" in found["fake.faulty", "status"]["reason"]
    shown = bench("compare", "before", "after")
    assert shown.code == 1
    assert shown.out.startswith("Regression in 2 of 2 cells: ")
    assert shown.out.count("\n") < 40


def test_markdown_and_names_or_paths(bench, results):
    done = bench("compare", "results/before", str(results / "after"), "--format", "markdown", "--all")
    assert done.code == 1
    assert done.out.startswith("<!-- bench-report -->\n**Regression in 2 of 2 cells")


def test_the_other_way_round_is_better_and_exit_0(bench, results):
    done = bench("compare", "after", "before", "--format", "json")
    assert done.code == 0
    assert rows(done)["fake.exact", "seconds_total"]["verdict"] == "better"
    assert rows(done)["fake.faulty", "status"]["verdict"] == "better"


def test_gates_and_thresholds(bench, results):
    gate = ["--fail-on", "fake.exact:b2_avg>2x"]
    done = bench("compare", "before", "after", *gate, "--format", "json")
    assert done.code == 1  # the other cell no longer finishes, which no gate excuses
    assert not rows(done)["fake.exact", "seconds_total"]["regression"]
    drop(results / "before", "fake.faulty")
    drop(results / "after", "fake.faulty")
    assert bench("compare", "before", "after", *gate).code == 0
    assert bench("compare", "before", "after", "--fail-on", "seconds_total>10%").code == 1
    assert bench("compare", "before", "after", "--fail-on", "seconds_total>1000x").code == 0
    # A glob of a later expression excuses the cell it names.
    late = ["--fail-on", "seconds_total>10%", "--fail-on", "*/fake.exact:seconds_total>1000x"]
    assert bench("compare", "before", "after", *late).code == 0
    only = ["-m", "seconds_total", "--threshold", "seconds_total>1000x"]
    assert bench("compare", "before", "after", *only).code == 0
    assert bench("compare", "before", "after", "-m", "seconds_total").code == 1


def test_a_config_file(bench, results, tmp_path):
    (tmp_path / "gate.toml").write_text('fail_on = ["fake.exact:b2_avg>2x"]\nformat = "json"\n')
    done = bench("compare", "before", "after", "--config", "gate.toml")
    assert done.json["fail_on"] == ["fake.exact:b2_avg>2x"]
    (tmp_path / "gate.toml").write_text('fail-on = "b2_avg>2x"')
    done = bench("compare", "before", "after", "--config", "gate.toml")
    assert (done.code, "did you mean fail_on" in done.err) == (2, True)


def test_another_machine_is_said_and_times_are_not_compared(bench, results):
    drop(results / "before", "fake.faulty")
    drop(results / "after", "fake.faulty")
    edit(results / "after/run.json", lambda run: run | {"host": run["host"] | {"cpu": "another", "cores": 64}})
    done = bench("compare", "before", "after", "--format", "json")
    assert done.code == 0  # scores were compared
    assert rows(done)["fake.exact", "seconds_total"]["verdict"] == "other-machine"
    assert rows(done)["fake.exact", "seconds_total"]["change"] is None
    assert any("cpu: " in fact for fact in done.json["machine"])
    assert "other-machine" in bench("compare", "before", "after").out
    advice = bench("compare", "before", "after", "--allow-other-machine", "--format", "json")
    assert advice.code == 0
    assert rows(advice)["fake.exact", "seconds_total"]["verdict"] == "worse"
    gated = bench("compare", "before", "after", "--fail-on", "seconds_total>10%")
    assert gated.code == 6
    assert "could be checked in no cell" in gated.out
    for run in ("before", "after"):
        (results / run / "metrics.parquet").unlink()
    assert bench("compare", "before", "after").code == 6


def test_no_baseline_is_exit_5(bench, results):
    done = bench("compare", "befor", "after")
    assert (done.code, done.out) == (5, "")
    assert "no baseline: unknown run" in done.err
    assert "did you mean before" in done.err
    fits = pd.read_parquet(results / "before/fits.parquet")
    fits.assign(status="failed").to_parquet(results / "before/fits.parquet")
    done = bench("compare", "before", "after")
    assert (done.code, "no fit of before finished (12 failed)" in done.err) == (5, True)
    assert "Traceback" not in done.err


def test_new_and_missing_cells(bench, results):
    drop(results / "before", "fake.faulty")
    done = bench("compare", "before", "after", "--format", "json", "--fail-on", "b2_avg>2x")
    assert done.code == 0
    assert rows(done)["fake.faulty", ""]["verdict"] == "new"
    done = bench("compare", "after", "before", "--fail-on", "fake.exact:b2_avg>2x")
    assert (done.code, "1 missing" in done.out, "--fail-on missing makes that fail" in done.out) == (0, True, True)
    assert bench("compare", "after", "before", "--fail-on", "fake.exact:b2_avg>2x", "--fail-on", "missing").code == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["before", "aftr"], "did you mean after"),
        (["before", "after", "--fail-on", "seconds>10%"], "unknown metric 'seconds'"),
        (["before", "after", "--fail-on", "seconds_total<10%"], "better when lower"),
        (["before", "after", "--fail-on", "torch.adam:seconds_total>10%"], "unknown cell 'torch.adam'"),
        (["before", "after", "--metric", "b2"], "unknown metric 'b2'; did you mean"),
        (["before", "after", "--threshold", "missing"], "missing has no threshold"),
        (["before", "after", "--format", "yaml"], "text, markdown, json"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(bench, results, args, words):
    done = bench("compare", *args)
    assert done.code == 2
    assert words in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert done.out == ""


def test_help_has_examples_and_loads_nothing_heavy(bench):
    done = bench("compare", "--help")
    assert "bench compare before after --fail-on 'seconds_total>10%'" in done.out
    assert "5 no baseline" in done.out
    code = (
        "import sys\nsys.argv = ['bench', 'compare', '--help']\nfrom bench.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert not {'numpy', 'pandas', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def drop(folder, backend):
    """Remove a cell from a run's tables."""
    for name in ("fits", "metrics"):
        frame = pd.read_parquet(folder / f"{name}.parquet")
        frame[frame.backend != backend].to_parquet(folder / f"{name}.parquet")

"""The command line as a user meets it."""

import json
import shutil
import sys

import duckdb
import pandas as pd
import pytest

from bench.errors import UsageError
from bench.store.folder import RunFolder
from bench.store.queries import ask
from bench.words import program
from tests import in_process
from tests.conftest import FAKES
from tests.measure.inprocess import InProcess


@pytest.fixture(scope="module")
def done_run(tmp_path_factory):
    """One small finished run, made once, by children."""
    path = tmp_path_factory.mktemp("run")
    command = ("run", "-s", "correlated-rho95", "-b", "fake.exact", "--name", "one", "--json")
    done = in_process.run(*command, cwd=path, variables={"BENCH_BACKENDS": str(FAKES)})
    assert done.code == 0, done.err
    return path, done.json


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["run", "-s", "s0-unifrm"], "did you mean s0-uniform"),
        (["run", "-b", "torch.adam[rl=1]"], "did you mean lr"),
        (["run", "--budget", "huge"], "known: quick, standard, thorough"),
        (["run", "--reps", "0"], "--reps 0 is not allowed; at least 1"),
        (["run", "--device", "tpu"], "cpu, cuda, auto"),
        (["run", "--memory", "lots"], "such as 500M or 4G"),
        (["run", "--timeout", "-3"], "--timeout -3"),
        (["run", "--timeout", "soon"], "--timeout 'soon' is not allowed; it must be a number"),
        (["run", "--rounds", "1.5"], "--rounds '1.5' is not allowed; it must be a whole number"),
        (["run", "--config", "none.toml"], "none.toml: not readable"),
        (["run", "--name", "../up"], "not allowed"),
        (["score", "nothing"], "unknown run"),
        (["report", "nothing"], "unknown run"),
        (["query", "select 1"], "no runs in results"),
        (["export", "nothing"], "unknown run"),
        (["info", "torch.adm"], "did you mean torch.adam"),
        (["list", "things"], "known: backends, families, metrics, runs, scenarios, suites"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2_and_leaves_nothing(bench, tmp_path, args, words):
    done = bench(*args)
    assert done.code == 2
    assert words in done.err
    assert "Traceback" not in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("typed", "begins"),
    [("/opt/bin/bench", "bench"), ("/opt/bench/__main__.py", "python -m bench"), ("/tmp/mine.py", "bench")],
)
def test_a_next_step_is_called_as_the_program_was(tmp_path, monkeypatch, typed, begins):
    monkeypatch.setattr(sys, "argv", [typed])
    assert program.command("score", tmp_path / "two words") == f"{begins} score '{tmp_path}/two words'"
    assert program.kept("run") == "python -m bench run"


def test_dry_run_shows_the_plan_and_writes_nothing(bench, tmp_path):
    done = bench("run", "--dry-run")
    assert done.code == 0
    assert "24 cells, 48 fits" in done.out
    assert bench("run", "--dry-run", "--json").json["fits"] == 48
    assert not (tmp_path / "results").exists()


def test_list_and_info_know_everything(bench):
    listed = bench("list", "--json").json
    assert {"scenarios", "families", "backends", "suites", "metrics", "runs"} == set(listed)
    assert "s4-linear" in {row["name"] for row in listed["scenarios"]}
    for name, words in [
        ("s0-uniform", "uniform(0, 10)"),
        ("torch.adam", "lr"),
        ("quick", "[[fits]]"),
        ("b2_max", "better: lower"),
    ]:
        done = bench("info", name)
        assert done.code == 0, done.err
        assert words in done.out


def test_a_config_file_gives_defaults_and_the_command_line_wins(bench, tmp_path):
    (tmp_path / "mine.toml").write_text('scenario = "s4-linear"\nbackend = ["numpy.gd", "sklearn.ols"]\nreps = 3\n')
    plan = bench("run", "--config", "mine.toml", "--dry-run", "--json").json
    assert plan["fits"] == 6
    assert bench("run", "--config", "mine.toml", "--reps", "1", "--dry-run", "--json").json["fits"] == 2
    for text, words in [
        ("rep = 3", "did you mean reps"),
        ("reps = 'three'", "reps = 'three' is not allowed; int"),
        ("reps = true", "reps = True"),
        ("scenario = [1]", "scenario = [1]"),
        ("reps =", "not a TOML file"),
    ]:
        (tmp_path / "bad.toml").write_text(text)
        done = bench("run", "--config", "bad.toml", "--dry-run")
        assert (done.code, words in done.err) == (2, True), done.err


def test_a_run_is_a_folder_of_records_tables_and_reports(done_run):
    path, said = done_run
    folder = path / "results" / "one"
    assert said["exit"] == 0
    assert {"run.json", "fits.parquet", "fits.csv", "metrics.parquet", "metrics.csv", "curves.parquet", "curves.csv",
            "report.html", "report.md", "fits", "children.jsonl"} == {p.name for p in folder.iterdir()}  # fmt: skip
    for fit in (folder / "fits").iterdir():
        assert {p.name for p in fit.iterdir()} == {"record.json", "draws.nc", "log.txt"}
    fits = pd.read_parquet(folder / "fits.parquet")
    assert list(fits.columns[: len(PROMISED_FITS)]) == PROMISED_FITS
    metrics = pd.read_parquet(folder / "metrics.parquet")
    assert list(metrics.columns) == ["run", "cell", "scenario", "backend", "rep", "metric", "part", "value"]
    assert metrics.value.notna().all()
    assert set(metrics.metric) >= {
        "mean", "sd", "r_hat", "ess_bulk", "ess_tail", "mcse_mean", "ess_per_second", "b2", "b2_max", "b2_avg", "n_eq",
        "sd_ratio_log", "recovery_error", "recovery_rmse", "covered_90", "predictive_mae",
    }  # fmt: skip
    curves = pd.read_parquet(folder / "curves.parquet")
    assert list(curves.columns) == (
        ["run", "cell", "scenario", "backend", "rep", "step", "seconds", "seconds_cold", "gradients", "metric", "value"]
    )
    csv = pd.read_csv(folder / "metrics.csv")
    assert (csv.value.to_numpy() == metrics.value.to_numpy()).all()  # never rounded


PROMISED_FITS = [
    "run",
    "cell",
    "scenario",
    "family",
    "backend",
    "kind",
    "options",
    "track",
    "budget",
    "device",
    "dtype",
    "chains",
    "rep",
    "round",
    "position",
    "cold",
    "split",
    "data_seed",
    "fit_seed",
    "status",
    "reason",
    "seconds_import",
    "seconds_build",
    "seconds_compile",
    "seconds_warmup",
    "seconds_sample",
    "seconds_transfer",
    "seconds_total",
    "gradients",
    "gradients_warmup",
    "peak_rss_bytes",
    "peak_device_bytes",
    "threads",
    "load_average",
    "measured_at",
    "data_digest",
    "scenario_digest",
    "backend_digest",
]


def test_scoring_again_gives_the_same_tables_and_reporting_the_same_bytes(bench, done_run):
    path, _ = done_run
    folder = path / "results" / "one"
    before = {
        f: (folder / f).read_bytes() for f in ("metrics.csv", "curves.csv", "fits.csv", "report.html", "report.md")
    }
    assert bench("score", "one", "--results", str(path / "results")).code == 0
    assert bench("report", "one", "--results", str(path / "results")).code == 0
    assert {f: (folder / f).read_bytes() for f in before} == before


def test_query_and_export(bench, done_run, tmp_path):
    path, _ = done_run
    results = str(path / "results")
    sql = "select backend, count(*) as n from fits group by backend"
    assert bench("query", sql, "--results", results, "--format", "json").json == [{"backend": "fake.exact", "n": 2}]
    assert bench("query", sql, "--results", results, "--format", "csv").out == "backend,n\nfake.exact,2\n"
    assert bench("export", "one", "--results", results).code == 0
    shutil.rmtree(path / "results" / "one" / "exported")  # its place by default
    for suffix in ("csv", "parquet"):
        assert bench("export", "one", "--format", suffix, "--to", f"out-{suffix}", "--results", results).code == 0
        assert {p.name for p in (tmp_path / f"out-{suffix}").iterdir()} == {
            "run.json", f"fits.{suffix}", f"metrics.{suffix}", f"curves.{suffix}",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("verify", "-s", "correlated-rho95", "-b", "crooked.exact"), 0, "crooked"),
        (("compare", "one", "one"), 0, "the same run"),
        (("gate", "absent.json", "--baseline", "absent.json"), 2, "absent.json"),
        pytest.param(("plot", "one", "--kind", "trace"), 0, ".png", marks=pytest.mark.needs("matplotlib")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_each_verb_works_in_a_process_of_its_own(bench_process, done_run, tmp_path, words, code, said):
    """A verb of each set of imports that no other test has in a process of its own."""
    shutil.copytree(done_run[0] / "results", tmp_path / "results")
    done = bench_process(*words)
    assert done.code == code, done.out + done.err
    assert said in done.out + done.err and "Traceback" not in done.err


@pytest.mark.parametrize(
    "sql",
    [
        "drop table fits", "copy fits to 'stolen.csv'", "select * from read_csv('/etc/passwd')",
        "select * from '/etc/passwd'", "attach 'x.db'", "set enable_external_access = true", "select 1; select 2",
        "install httpfs", "selec 1", "select nothing from fits", "create table t as select 1", "",
    ],
)  # fmt: skip
def test_a_query_can_only_read_the_tables(done_run, tmp_path, monkeypatch, sql):
    path, _ = done_run
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="query:"):
        ask(path / "results", sql)
    assert not list(tmp_path.iterdir())
    assert duckdb.sql("select 1").fetchall() == [(1,)]


def test_changed_data_are_noticed_when_scoring(done_run, tmp_path):
    import shutil

    from bench.score.run import score_run

    path, _ = done_run
    shutil.copytree(path / "results" / "one", tmp_path / "two")
    folder = RunFolder(tmp_path / "two")
    for file in folder.path.glob("fits/*/record.json"):
        record = json.loads(file.read_text())
        file.write_text(json.dumps(record | {"data_digest": "0" * 16}))
    with pytest.raises(UsageError, match="gives other data now"):
        score_run(folder, lambda text: None)


def test_scores_do_not_depend_on_how_many_processes_make_them(bench, tmp_path, monkeypatch):
    from bench.score import run as scoring

    monkeypatch.setattr("bench.measure.local.Local", InProcess)
    scenarios = ["-s", "s0-uniform", "-s", "correlated-rho95"]
    done = bench("run", *scenarios, "-b", "fake.exact", "-b", "numpy.gd[steps=200]", "--no-score",
                 "--results", "r", "--name", "x")  # fmt: skip
    assert done.code == 0, done.err
    folder = RunFolder(tmp_path / "r" / "x")
    damaged = next(folder.path.glob("fits/*-1/draws.npz"))
    damaged.write_bytes(b"no draws")
    found = []
    for worth_it in (10**6, 2):
        monkeypatch.setattr(scoring, "WORTH_IT", worth_it)
        folder.damage.clear()
        said: list[str] = []
        assert scoring.score_run(folder, said.append) == 7
        assert list(folder.damage) == [str(damaged.relative_to(folder.path))] and said
        found.append([(folder.path / f"{name}.csv").read_bytes() for name in ("fits", "metrics", "curves")])
    assert found[0] == found[1]


def test_scoring_in_several_processes_ends_with_what_its_progress_raises(bench, tmp_path, monkeypatch):
    import multiprocessing

    from bench.score import run as scoring

    monkeypatch.setattr("bench.measure.local.Local", InProcess)
    done = bench("run", "-s", "correlated-rho95", "-b", "fake.exact", "--reps", "3", "--no-score", "--results", "r",
                 "--name", "x")  # fmt: skip
    assert done.code == 0, done.err
    monkeypatch.setattr(scoring, "WORTH_IT", 2)

    def interrupted(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scoring.score_run(RunFolder(tmp_path / "r" / "x"), interrupted)
    assert not multiprocessing.active_children()
    assert not (tmp_path / "r" / "x" / "metrics.parquet").exists()


def test_the_version_is_said(bench):
    from bench import __version__

    assert bench("--version").out == f"posterior-bench {__version__}\n"

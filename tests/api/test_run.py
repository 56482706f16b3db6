"""`import bench`: runs that are made, read and compared from Python."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest

import bench
from bench.catalog import backends
from bench.cli.run import run as command
from bench.measure import interrupts
from tests.conftest import FAKES, ROOT

LABEL = "correlated-rho95[n_obs=20]"
ONE = {"scenarios": LABEL, "backends": "fake.exact", "reps": 1, "rounds": 1}


def test_import_is_light_and_names_are_found_when_they_are_used() -> None:
    code = "import sys, bench; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"numpy", "pandas", "scipy", "msgspec", "rich", "typer"} & set(done.stdout.split())
    assert set(bench.__all__) <= set(dir(bench))
    assert all(getattr(bench, name) is not None for name in bench.__all__)
    assert callable(bench.compare) and not hasattr(bench, "nothing")
    assert (ROOT / "bench" / "py.typed").is_file()


def test_the_options_are_those_of_the_command_line() -> None:
    ours, theirs = (set(inspect.signature(call).parameters) for call in (bench.run, command))
    elsewhere = {
        "files",
        "scenario",
        "backend",
        "reuse_compiled",
        "resume",
        "retry",
        "allow_changes",
        "config",
        "executor",
    }
    assert theirs - ours == elsewhere | {"no_score", "dry_run", "watch", "json_"}
    assert ours - theirs == {"scenarios", "backends", "progress"}


def test_a_run_is_tables_sentences_and_a_page(made: bench.Run) -> None:
    assert made.path.name == made.name == "r"
    assert made.fits["status"].tolist() == ["ok"] * 6 and made.fits["cold"].tolist() == [True, False] * 3
    assert {"r_hat", "b2_max", "ess_bulk"} <= set(made.metrics["metric"])
    assert list(made.curves.columns)[:5] == ["run", "cell", "scenario", "backend", "rep"]
    (verdict,) = made.verdicts
    assert LABEL in verdict and verdict == str(made)  # whether one is given depends on how quiet the machine was
    page = made.report()
    assert page.path == made.path / "report.html"
    frame = page._repr_html_()
    assert frame.startswith('<iframe srcdoc="&lt;!doctype html&gt;') and frame.count("<") == 2
    assert "allow-same-origin" not in frame
    assert made._repr_html_() == frame


def test_figures_of_the_report_need_no_draws(made: bench.Run) -> None:
    drawn = made.figures(LABEL)
    assert all(made.path.joinpath("report.html").read_text().count(f'data-name="{name}"') <= 1 for name in drawn)
    figure = drawn["seeds-correlated-rho95-n-obs-20"]
    assert figure._repr_svg_().startswith("<svg") and figure.title in figure._repr_svg_() and figure.caption
    assert figure.spec["$schema"].endswith("vega-lite/v6.json")
    assert all(LABEL not in one.title for one in made.figures().values())
    with pytest.raises(bench.UsageError, match="unknown scenario"):
        made.figures("nothing")


@pytest.mark.needs("matplotlib")
def test_what_bench_plot_draws_is_a_figure(made: bench.Run) -> None:
    from matplotlib.figure import Figure

    cell = made.fits["cell"].iloc[0]
    picture = made.plot("posterior", cell, rep=1)
    assert isinstance(picture, Figure) and "rep 1" in picture.get_suptitle()
    assert "fake.exact" in made.plot("forest", f"{LABEL}/*").axes[0].get_figure().get_suptitle()
    for kind, words in (("lines", "unknown kind of picture"), ("loss", "loss does not apply to fake.exact")):
        with pytest.raises(bench.UsageError, match=words):
            made.plot(kind, cell)


def test_frames_are_the_users_own(made: bench.Run) -> None:
    frame = made.fits
    frame["status"] = "changed"
    assert made.fits["status"].tolist() == ["ok"] * 6


def test_the_manifest_has_the_call_and_no_path(made: bench.Run) -> None:
    text = (made.path / "run.json").read_text()
    assert f"bench.run(scenarios=['{LABEL}'], backends=['fake.exact'], reps=2, rounds=3, name='r')" in text
    assert "pytest" not in made._tables.run.command


def test_progress_is_a_line_per_child(made: bench.Run, lines: list[str]) -> None:
    assert lines[-1] == "scoring"
    assert [line.partition(":")[0] for line in lines[-4:-1]] == [f"[{i}/3] {LABEL} × fake.exact" for i in (1, 2, 3)]


@pytest.mark.needs("arviz")
def test_draws_are_arviz_s(made: bench.Run) -> None:
    cell = made.fits["cell"].iloc[0]
    data = made.inference_data(cell, rep=1)
    assert data.posterior["weights"].dims == ("chain", "draw", "weights_dim_0")
    again = made.inference_data(f"{LABEL}/fake.exact", rep=1)
    mean = made.metrics.query("metric == 'mean' and part == 'weights[0]' and rep == 1")["value"].item()
    assert float(again.posterior["weights"][..., 0].mean()) == pytest.approx(mean, rel=1e-12)
    for wrong, words in [("nothing", "unknown backend"), ("no/fake.exact", "unknown scenario"), (cell, "no rep 9")]:
        with pytest.raises(bench.UsageError, match=words):
            made.inference_data(wrong, rep=9)


def test_what_is_stored_is_loaded_by_path_or_name(made: bench.Run) -> None:
    for again in (bench.load(made.path), bench.load("r", results=made.path.parent), eval(repr(made))):
        pd.testing.assert_frame_equal(again.fits, made.fits)
        assert again.verdicts == made.verdicts
    with pytest.raises(bench.UsageError, match="did you mean r"):
        bench.load("rr", results=made.path.parent)


def test_what_is_damaged_is_a_warning(made: bench.Run, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(made.path, tmp_path / "spoilt")
    (tmp_path / "spoilt" / "metrics.parquet").write_bytes(b"nothing")
    with pytest.warns(UserWarning, match=r"spoilt/metrics\.parquet is damaged and left out"):
        assert bench.load(tmp_path / "spoilt").metrics.empty


def test_two_runs_are_compared(made: bench.Run) -> None:
    same = bench.compare(made, made.path, fail_on="b2_avg>2x")
    assert same.outcome == "ok" and set(same.rows["verdict"]) == {"same"}
    rows = same.rows.set_index("metric")
    assert rows.loc["b2_avg", "change"] == 1.0 and rows.loc["b2_avg", "threshold"] == "2×"
    assert str(same).splitlines()[0] == same._repr_markdown_().splitlines()[1].strip("*") and "A = r, B = r" in str(
        same
    )
    with pytest.raises(bench.UsageError, match="unknown metric 'speed'"):
        bench.compare(made, made, metrics="speed")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"scenarios": "s0-unifrm"}, "did you mean s0-uniform"),
        ({"scenarios": ["s0-uniform", 3]}, "3 is not allowed; a name, a glob or a path"),
        ({"scenarios": "gone.toml"}, "there is no scenario file 'gone.toml'"),
        ({"backends": "torch.adam[rl=1]"}, "did you mean lr"),
        ({"suite": 3}, "suite=3 is not allowed; a text"),
        ({"budget": "huge"}, "known: quick, standard, thorough"),
        ({"reps": 0}, "--reps 0 is not allowed; at least 1"),
        ({"reps": 2.5}, "--reps 2.5 is not allowed; a whole number"),
        ({"timeout": "soon"}, "--timeout 'soon' is not allowed"),
        ({"memory": "lots"}, "such as 500M or 4G"),
        ({"device": "tpu"}, "cpu, cuda, auto"),
        ({"name": "../up"}, "not allowed"),
    ],
)
def test_a_mistake_is_the_same_sentence_and_leaves_nothing(in_process: None, tmp_path: Path, wrong, words) -> None:
    with pytest.raises(bench.UsageError, match=r".") as refused:
        bench.run(**{**ONE, "results": tmp_path / "results", **wrong})
    assert words in str(refused.value)
    assert not (tmp_path / "results").exists()


def test_a_file_of_the_users_is_named_by_its_path(in_process: None, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text((ROOT / "scenarios" / "correlated-rho95.toml").read_text())
    (tmp_path / "odd.toml").write_text("family = 3")
    with pytest.warns(UserWarning, match="scenario odd is broken and left out"):
        run = bench.run(tmp_path / "*.toml", "fake.exact", reps=1, rounds=1, results=tmp_path)
    assert set(run.fits["scenario"]) == {"mine"}


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(in_process: None, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    said: list[str] = []

    def interrupt(line: str) -> None:
        said.append(line)
        if line.startswith("[1/"):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=r"r was interrupted; .* bench run --resume .*r"):
        bench.run(**{**ONE, "rounds": 3}, results=tmp_path, name="r", progress=interrupt)
    assert signal.getsignal(signal.SIGINT) is before
    assert [line[:5] for line in said if line.startswith("[")] == ["[1/3]"]
    left = bench.load(tmp_path / "r")
    assert left.fits["status"].tolist() == ["ok", "interrupted", "interrupted"]
    assert left.report().path.is_file()
    assert not interrupts.asked()


def test_ctrl_c_twice_leaves_at_once(in_process: None, tmp_path: Path) -> None:
    said: list[str] = []

    def interrupt(line: str) -> None:
        said.append(line)
        if line.startswith("[1/"):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="was interrupted"):
        bench.run(**{**ONE, "rounds": 3}, results=tmp_path, name="r", progress=interrupt)
    assert "scoring" not in said and not (tmp_path / "r" / "report.html").exists()
    assert bench.load(tmp_path / "r").fits["status"].tolist() == ["ok", "interrupted", "interrupted"]


def test_a_backend_file_that_was_mended_is_read_again(in_process: None, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "__init__.py").write_text("PACKAGES = ()\n")
    file = tmp_path / "odd" / "one.py"
    file.write_text("def build(data, budget, options, place): ...\n")
    monkeypatch.setenv("BENCH_BACKENDS", str(tmp_path))
    with pytest.raises(bench.UsageError, match=r"unknown backend .odd\.one"):
        bench.run(LABEL, "odd.one", results=tmp_path / "results")
    file.write_text(f'"""Mended."""\nKIND = "mcmc"\n{file.read_text()}')
    with pytest.raises(bench.UsageError, match=r"unknown option of odd\.one .x"):
        bench.run(LABEL, "odd.one[x=1]", results=tmp_path / "results")
    backends.forget()


def test_it_works_in_a_thread_where_an_event_loop_runs_one_run_at_a_time(in_process: None, tmp_path: Path) -> None:
    runs: list[bench.Run] = []
    refused: list[str] = []

    def another(line: str) -> None:
        try:
            bench.run(**ONE, results=tmp_path)
        except bench.UsageError as error:
            refused.append(str(error))

    async def cell() -> None:
        runs.append(bench.run(**ONE, results=tmp_path, progress=another))

    thread = threading.Thread(target=lambda: asyncio.run(cell()))
    thread.start()
    thread.join()
    assert runs[0].fits["status"].tolist() == ["ok"]
    assert refused and all("makes a run already" in line for line in refused)


@pytest.mark.slow
def test_a_script_without_a_main_guard_makes_a_run_in_real_children(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "import bench\n"
        "run = bench.run('correlated-rho95', 'fake.exact[draws=100]', reps=40, rounds=1)\n"  # 40: scored by processes
        "print(len(run.fits))\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BENCH_BACKENDS": str(FAKES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("40\n", "", 0)
    assert len(list((tmp_path / "results").iterdir())) == 1

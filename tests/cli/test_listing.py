"""`bench list`, `bench info` and completion: a line each on a terminal, what is broken marked, names for the shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import Verbs, catalog
from bench.score.catalog import METRICS
from bench.store.columns import FITS
from tests import in_process
from tests.conftest import ROOT


@pytest.mark.parametrize("thing", ["scenarios", "backends", "suites", "metrics"])
def test_each_kind_fits_a_screen_of_a_terminal(thing, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    rows = list(catalog.LISTERS[thing](Path("results")))
    lines = catalog._metric_names(rows) if thing == "metrics" else catalog._rows(rows, long=False)
    assert len(lines) <= 45
    assert all(len(line) <= 98 for line in lines)
    text = " ".join(lines).replace(",", " ").replace("…", " ").split()
    assert {row["name"] for row in rows} <= {*text}


def test_what_is_broken_is_marked_last_with_its_reason(tmp_path):
    (tmp_path / "abc.toml").write_text("family = 3\n")
    listed = in_process.run("list", "scenarios", cwd=tmp_path, variables={"BENCH_SCENARIOS": str(tmp_path)})
    last = listed.out.splitlines()[-1]
    assert last.startswith("  broken: abc: ") and "family = 3" in last and last.endswith(f"(from {tmp_path})")


def test_metrics_stand_apart_and_whole_where_that_is_asked(tmp_path):
    short = in_process.run("list", cwd=tmp_path).out
    assert "they are listed by: bench list metrics" in short and "wasserstein_1" not in short
    long = in_process.run("list", "metrics", "--long", cwd=tmp_path).out
    assert METRICS["b2"].definition in long and len(long.splitlines()) == len(METRICS)


def test_info_knows_columns(tmp_path):
    assert FITS["disturbance"].meaning in in_process.run("info", "disturbance", cwd=tmp_path).out
    both = in_process.run("info", "part", cwd=tmp_path).out
    assert "column of metrics" in both


def test_the_page_of_all_verbs_cuts_no_sentence():
    group = Verbs(name="bench")
    for verb in group.list_commands(None):
        sentence = group.get_command(None, verb).get_short_help_str()
        assert sentence.endswith((".", "?")) and "..." not in sentence


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("re", ["report", "reference"]),
        ("run -s s0", ["s0-exponential", "s0-uniform"]),
        ("run -b torch.h", ["torch.hmc"]),
        ("run --suite qu", ["quick"]),
        ("info b2_m", ["b2_max"]),
        ("report two", ["two"]),
        ("score l", ["latest"]),
        ("run --name s0", []),
        ("new sc", ["scenario"]),
    ],
)
def test_a_shell_completes_names(words, found, tmp_path, monkeypatch):
    from typer.main import get_command

    from bench.cli import app

    for name in ("one", "two"):
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "run.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    *before, incomplete = words.split()
    from typer._click.shell_completion import _resolve_context, _resolve_incomplete

    context = _resolve_context(get_command(app), {}, "bench", before)
    at, incomplete = _resolve_incomplete(context, before, incomplete)
    assert [item.value for item in at.shell_complete(context, incomplete)] == found


def test_completion_imports_neither_numpy_nor_pandas(tmp_path):
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print([m for m in ('numpy', 'pandas', 'dask') if m in sys.modules]))\n"
        "sys.argv = ['bench']\nfrom bench.cli import main\nmain()"
    )
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "_BENCH_COMPLETE": "complete_bash",
                 "COMP_WORDS": "bench run -b torch.h", "COMP_CWORD": "3"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
    )
    assert done.stdout.split("\n")[:2] == ["torch.hmc", "[]"], done.stdout + done.stderr

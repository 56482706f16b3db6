"""`bench init`: its scenarios and contenders are found in that folder, and nowhere else."""

from __future__ import annotations

import shlex
from pathlib import Path

from tests import in_process


def test_a_folder_has_a_scenario_and_a_contender_that_run(tmp_path: Path):
    made = in_process.run("init", "my trial", cwd=tmp_path)
    assert made.code == 0, made.err
    assert "  cd 'my trial'\n" in made.out
    home = tmp_path / "my trial"
    assert sorted(str(f.relative_to(home)) for f in home.rglob("*") if f.is_file()) == [
        "backends/mine/least_squares.py", "bench.toml", "scenarios/clinic.csv", "scenarios/clinic.toml",
    ]  # fmt: skip
    listed = in_process.run("list", "--json", cwd=home).json
    assert [row["from"] for row in listed["scenarios"] if row["name"] == "clinic"] == [str(home / "scenarios")]
    assert [row["state"] for row in listed["backends"] if row["name"] == "mine.least_squares"] == ["ready"]
    assert "family poisson" in in_process.run("info", "clinic", cwd=home).out
    for line in made.out.splitlines():
        if line.startswith("  bench run "):
            planned = in_process.run(*shlex.split(line)[1:], "--dry-run", cwd=home)
            assert planned.code == 0, planned.err
    assert in_process.run("new", "backend", "mine.ridge", cwd=home).code == 0
    assert (home / "backends" / "mine" / "ridge.py").is_file()
    assert "clinic" not in in_process.run("list", "scenarios", cwd=tmp_path).out
    assert in_process.run("info", "clinic", cwd=home / "scenarios").code == 2


def test_nothing_is_written_over_or_into_the_harness(tmp_path: Path):
    from tests.conftest import ROOT

    (tmp_path / "backends" / "mine").mkdir(parents=True)
    (tmp_path / "backends" / "mine" / "least_squares.py").write_text("mine")
    refused = in_process.run("init", cwd=tmp_path)
    assert refused.code == 2 and "least_squares.py is there already" in refused.err
    assert [f.name for f in tmp_path.rglob("*") if f.is_file()] == ["least_squares.py"]
    refused = in_process.run("init", str(ROOT), cwd=tmp_path)
    assert refused.code == 2 and "is posterior-bench itself" in refused.err

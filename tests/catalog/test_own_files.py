"""Scenario files named by their paths: their names, their data beside them, and what a run keeps of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench.catalog.kept import bring, keep
from bench.catalog.scenarios import load, scenario
from bench.data import dataset
from bench.errors import UsageError
from bench.plan import Choice, make
from bench.selected import Scenarios
from tests.conftest import ROOT
from tests.measure.inprocess import InProcess

TEXT = """
description = "rows of a file"
family = "linear"
[data]
file = "data/rows.csv"
[priors]
weights = {normal = [0, 10]}
bias = {normal = [0, 10]}
sigma = {half_normal = 5}
"""
ROWS = "x0,y\n1,2\n2,3.9\n3,6.2\n4,7.7\n5,10.4\n"
KNOWN = ROOT / "scenarios" / "s0-uniform.toml"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A scenario file of a user's, its rows beside it."""
    (tmp_path / "own" / "data").mkdir(parents=True)
    (tmp_path / "own" / "data" / "rows.csv").write_text(ROWS)
    (tmp_path / "own" / "mine.toml").write_text(TEXT)
    return tmp_path / "own" / "mine.toml"


def names(*selectors: str) -> list[str]:
    return [one.label for one in Scenarios(selectors)]


def test_data_are_found_from_the_scenario_and_are_part_of_its_digest(mine: Path) -> None:
    before = load(mine)
    assert dataset(before, seed=0, rep=0).arrays["y"].tolist() == [2.0, 3.9, 6.2, 7.7, 10.4]
    (mine.parent / "data" / "rows.csv").write_text(ROWS.replace("10.4", "10.5"))
    after = load(mine)
    assert after.digest != before.digest
    assert dataset(after, seed=0, rep=0).arrays["y"][-1] == 10.5


@pytest.mark.parametrize("file", ["../rows.csv", "/etc/passwd", "gone.csv", "data"])
def test_data_elsewhere_or_nowhere_are_refused(mine: Path, file: str) -> None:
    mine.write_text(TEXT.replace("data/rows.csv", file))
    with pytest.raises(UsageError, match=r"mine\.toml: data\.file = .* in or below the folder of the scenario"):
        load(mine)


def test_a_path_is_a_selector_with_brackets_or_a_glob(mine: Path) -> None:
    shutil.copy(KNOWN.with_name("correlated-rho95.toml"), mine.with_name("other.toml"))
    assert names(str(mine)) == ["mine"]
    assert names(f"{mine.parent}/*.toml", "s0-*") == ["mine", "other", "s0-exponential", "s0-uniform"]
    assert names(f"{mine.with_name('other.toml')}[n_obs=[20, 30]]") == ["other[n_obs=20]", "other[n_obs=30]"]
    assert make(Choice([str(mine)], ["numpy.gd"])).selectors == ["mine"]


def test_a_path_to_what_the_catalog_has_is_its_name(mine: Path) -> None:
    assert names(str(KNOWN)) == ["s0-uniform"]
    mine.rename(mine.with_name("s0-uniform.toml"))
    with pytest.raises(UsageError, match="have the same name; rename one"):
        names(str(mine.with_name("s0-uniform.toml")))


def test_two_files_of_one_name_and_a_file_that_is_not_there_are_refused(mine: Path, tmp_path: Path) -> None:
    shutil.copytree(mine.parent, tmp_path / "again")
    with pytest.raises(UsageError, match="have the same name; rename one"):
        names(str(mine), str(tmp_path / "again" / "mine.toml"))
    with pytest.raises(UsageError, match="there is no scenario file 'gone"):
        names("gone.toml")
    with pytest.raises(UsageError, match="there is no scenario file 'nothing/"):
        names("nothing/*.toml")


def test_a_broken_file_stops_no_glob_and_its_name_says_why(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_SCENARIOS", str(mine.parent))
    (mine.parent / "data" / "rows.csv").write_text("x0,y\n1,\n")
    for pattern in ("mi*", f"{mine.parent}/*.toml"):
        with pytest.raises(
            UsageError, match=r"nothing that .* matches is a scenario: mine.toml: data.file = .* numbers"
        ):
            names(pattern)
    (mine.with_name("mild.toml")).write_text("family = 3")
    shutil.copy(KNOWN.with_name("correlated-rho95.toml"), mine.with_name("minor.toml"))
    scenarios = Scenarios(["mi*", f"{mine.parent}/*.toml"])
    assert [one.name for one in scenarios] == ["minor"] * 2
    assert sorted(scenarios.broken) == ["mild", "mine"] and "family = 3" in scenarios.broken["mild"]
    with pytest.raises(UsageError, match="family = 3"):
        names("mild")
    plan = make(Choice(["m*"], ["numpy.gd"]))
    assert {p.cell.scenario for p in plan.cells} == {"minor", "more-features-than-rows"} and set(plan.broken) == {
        "mild",
        "mine",
    }


def test_a_broken_file_is_listed_with_its_reason(mine: Path, bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_SCENARIOS", str(mine.parent))
    mine.write_text(TEXT.replace("half_normal", "half_norm"))
    (row,) = [row for row in bench("list", "scenarios", "--json").json if row["name"] == "mine"]
    assert (
        row["family"] == "broken" and "mine.toml: priors.sigma = {'half_norm': 5} is not allowed" in row["description"]
    )
    done = bench("run", "-s", "m*", "-b", "numpy.gd", "--dry-run")
    assert done.code == 0 and "warning: scenario mine is broken and left out: mine.toml: priors.sigma" in done.err
    assert bench("run", "-s", "mine", "-b", "numpy.gd", "--dry-run").code == 2


def test_what_is_kept_is_the_same_scenario_or_refused(mine: Path, tmp_path: Path) -> None:
    original = load(mine)
    data = dataset(original, seed=0, rep=0)
    assert keep(original, tmp_path / "run") == "scenarios/mine/mine.toml"
    shutil.rmtree(mine.parent)
    copy = scenario("mine", along=tmp_path / "run")
    assert copy.digest == original.digest
    assert dataset(copy, seed=0, rep=0).digest == data.digest
    with pytest.raises(UsageError, match=r"neither in the catalog nor kept as .*/scenarios/mine/mine\.toml"):
        scenario("mine", along=tmp_path)


def test_a_request_brings_what_its_child_can_read(mine: Path, tmp_path: Path) -> None:
    original = load(mine)
    for _ in range(2):
        bring(original, tmp_path / "request")
    assert scenario("mine", along=tmp_path / "request").digest == original.digest


@pytest.mark.parametrize("linked", ["scenarios", "scenarios/mine", "scenarios/mine/mine.toml", "scenarios/mine/data",
                                    "scenarios/mine/data/rows.csv"])  # fmt: skip
def test_a_link_among_what_a_run_keeps_is_not_followed(mine: Path, tmp_path: Path, linked: str) -> None:
    keep(load(mine), tmp_path / "run")
    place = tmp_path / "run" / linked
    place.symlink_to(place.rename(tmp_path / "elsewhere"))
    with pytest.raises(UsageError, match=r"scenarios/mine is or has a symbolic link, which is not followed"):
        scenario("mine", along=tmp_path / "run")
    assert "mine" not in Scenarios(along=tmp_path / "run").files


def test_a_file_that_changes_while_it_is_copied_is_refused(mine: Path, tmp_path: Path) -> None:
    original = load(mine)
    (mine.parent / "data" / "rows.csv").write_text(ROWS.replace("10.4", "10.5"))
    with pytest.raises(UsageError, match="or its data changed"):
        keep(original, tmp_path / "run")


def test_a_run_has_all_it_was_made_of(mine: Path, bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fitted, then scored, checked and resumed where the user's files are no more."""
    monkeypatch.setattr("bench.measure.local.Local", InProcess)
    done = bench("run", "own/mine.toml", "-b", "fake.exact", "--name", "r", "--no-score")
    assert done.code == 0, done.err
    run = tmp_path / "results" / "r"
    shutil.rmtree(mine.parent)
    fit = next(run.glob("fits/*-1"))
    shutil.rmtree(fit)
    resumed = bench("run", "--resume", "r", "--no-score")
    assert resumed.code == 0 and (fit / "record.json").is_file(), resumed.err
    assert bench("score", "r").code == 0
    assert bench("check", "r").code == 0
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["scenarios"]["mine"]["file"] == "scenarios/mine/mine.toml"
    assert manifest["options"]["scenario"] == ["mine"]
    for file in ("run.json", "report.html", "report.md"):
        assert str(tmp_path) not in (run / file).read_text(), file
    assert "-s results/r/scenarios/mine/mine.toml -b fake.exact" in (run / "report.html").read_text()
    again = bench("run", "results/r/scenarios/mine/mine.toml", "-b", "fake.exact", "--dry-run")
    assert again.code == 0, again.err
    shutil.rmtree(run / "scenarios")
    refused = bench("score", "r")
    assert refused.code == 2 and "scenario mine is neither in the catalog nor kept as" in refused.err


def test_a_name_without_a_flag_is_no_path(bench) -> None:
    refused = bench("run", "s0-uniform")
    assert refused.code == 2 and "'s0-uniform' is no path of a scenario file" in refused.err

"""`bench new`: from a table to a scenario that runs, and from nothing to a contender that keeps its contract."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

import bench
from bench.catalog import designs
from bench.check import scenario as of_scenario
from bench.store.netcdf import load as load_draws
from tests import in_process
from tests.formula.conftest import ROWS
from tests.measure.inprocess import InProcess


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "mine.csv").write_text(ROWS)
    return tmp_path / "mine.csv"


def new(table: Path, *args: str) -> in_process.Outcome:
    return in_process.run("new", "scenario", "--data", "mine.csv", *args, cwd=table.parent)


def test_three_commands_lead_from_a_table_to_a_report(table):
    """By a contender that runs in this process; scoring takes the design from what the run keeps, as children do."""
    made = new(table, "--formula", "y ~ age + C(region)", "--holdout", "0.25")
    assert made.code == 0, made.err
    assert "6 rows are fitted, 2 held out" in made.out
    assert "region: 3 categories, east, north, west; others are held against east" in made.out
    assert "region[west] ~ normal(0, " in made.out
    written = tomllib.loads((table.parent / "mine.toml").read_text())
    assert set(written["priors"]) == {"age", "region[north]", "region[west]", "Intercept", "sigma"}
    checked = in_process.run("check", "mine.toml", cwd=table.parent)
    assert checked.code == 0, checked.out
    assert "reference posterior: normal given sigma" in checked.out
    assert "served by " in checked.out and "exact.posterior" in checked.out
    with mock.patch("bench.measure.local.Local", InProcess):
        ran = in_process.run("run", "mine.toml", "-b", "exact.posterior", "--name", "r", cwd=table.parent)
    assert ran.code == 0, ran.err
    run = bench.load(table.parent / "results" / "r")
    assert {"age", "region[west]", "Intercept", "sigma"} <= set(run.metrics["part"])
    assert not run.metrics["part"].str.contains("weights").any()
    report = (run.path / "report.md").read_text()
    assert "region\\[west\\] \\~ normal(0, " in report and "weights" not in report
    # what a child finds: the design beside the copy of the scenario, no cache, no memory of this process
    table.unlink()
    designs._made.clear()
    with mock.patch("bench.catalog.designs._cached", lambda name: table.parent / "none"):
        scored = in_process.run("score", "r", cwd=table.parent)
    assert scored.code == 0, scored.err
    assert "dropped" not in scored.err
    draws = next((run.path / "fits").glob("*/draws.nc"))
    assert load_draws(draws)["draw/weights"].shape[-1] == 3
    import xarray

    with xarray.open_dataset(draws, group="posterior", engine="h5netcdf") as posterior:
        assert sorted(posterior["weights_dim_0"].values.tolist()) == ["age", "region[north]", "region[west]"]


@pytest.mark.parametrize(
    ("formula", "likelihood"),
    [
        ("smoker ~ age", "bernoulli"),
        ("n ~ age", "poisson"),
        ("y ~ age", "gaussian"),
        ("log(y) ~ age", "gaussian"),
        ("I(n + 80) ~ age", "gaussian"),
    ],
)
def test_the_likelihood_is_by_default_what_the_observations_look_like(table, formula, likelihood):
    rows = table.read_text().replace("yes", "1").replace(",no,", ",0,")
    table.write_text(rows)
    assert new(table, "--formula", formula).code == 0
    assert tomllib.loads((table.parent / "mine.toml").read_text())["likelihood"] == likelihood


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("--formula", "y ~ nothing"), "mine.toml: formula = 'nothing' is not allowed; mine.csv has no such column"),
        (("--formula", "y ~ age", "--likelihood", "normal"), "it must be one of gaussian"),
        (("--formula", "y ~ age", "--out", "elsewhere/mine.toml"), "in a folder that is there"),
        (("--formula", "y ~ age", "--holdout", "2"), "holdout.share"),
        ((), "needs --data FILE and --formula"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(table, args, why):
    refused = new(table, *args)
    assert refused.code == 2
    assert why in refused.err
    assert [file.name for file in table.parent.iterdir()] == ["mine.csv"]


def test_what_samplers_would_find_hard_is_standardised_unless_that_is_refused(table):
    made = new(table, "--formula", "y ~ age + C(region)")
    assert "Columns are standardised: age far from 0, or of another scale, would make sampling slow" in made.out
    assert tomllib.loads((table.parent / "mine.toml").read_text())["data"]["standardise"] is True
    for name, args in (("other", ("--no-standardise",)), ("third", ())):
        formula = "y ~ age - 1" if name == "third" else "y ~ age"  # without an intercept it would be another model
        assert new(table, name, "--formula", formula, *args).code == 0
        assert "standardise" not in (table.parent / f"{name}.toml").read_text()


def test_a_gap_is_named_with_the_option_that_leaves_its_row_out(table):
    table.write_text(table.read_text() + "c,,1.0,east,no,3,1,2.0\n")
    refused = new(table, "--formula", "y ~ age + days + C(region)")
    assert refused.code == 2
    assert "error: mine.csv: line " in refused.err and "by --missing drop" in refused.err


def test_a_file_that_is_there_is_left_alone(table):
    (table.parent / "mine.toml").write_text("mine")
    refused = new(table, "--formula", "y ~ age")
    assert refused.code == 2
    assert "is there already" in refused.err
    assert (table.parent / "mine.toml").read_text() == "mine"
    assert new(table, "--formula", "y ~ age", "--out", "other.toml").code == 0
    assert new(table, "other", "--formula", "y ~ age", "--out", "mine2.toml").code == 2


def test_check_says_what_makes_a_posterior_hard(table):
    rows = ROWS.splitlines()
    wide = [f"{rows[0]},twice"] + [f"{row},{2 * float(row.split(',')[1])}" for row in rows[1:]]
    table.write_text("\n".join(wide) + "\n")
    assert new(table, "--formula", "y ~ age + twice + I(days * 1000)", "--no-standardise").code == 0
    found = [f"{f.state} {f.what}" for f in of_scenario.findings(str(table.parent / "mine.toml"), lambda text: None)]
    assert any("have rank 3" in text for text in found)
    assert "note age and twice have correlation 1.0000" in found
    assert any("times as much as" in text for text in found)
    assert any("far from 0, in sds: age" in text for text in found)
    (table.parent / "mine.toml").write_text('formula = "y ~ age"\n')
    broken = in_process.run("check", "mine.toml", "--json", cwd=table.parent)
    assert broken.code == 3
    assert "a formula needs [data] file" in json.dumps(broken.json)


def test_info_and_list_know_a_formula(table):
    assert new(table, "--formula", "y ~ age").code == 0
    said = in_process.run("info", "./mine.toml", cwd=table.parent)
    assert said.code == 0, said.err
    assert "age ~ normal(0, " in said.out
    listed = in_process.run("list", "scenarios", cwd=table.parent, variables={"BENCH_SCENARIOS": str(table.parent)})
    assert "mine" in listed.out
    assert "broken" not in listed.out


def test_a_new_contender_keeps_its_contract(tmp_path):
    made = in_process.run("new", "backend", "mine.least_squares", "--out", "own", cwd=tmp_path)
    assert made.code == 0, made.err
    with mock.patch("bench.measure.local.Local", InProcess):
        variables = {"BENCH_BACKENDS": str(tmp_path / "own")}
        checked = in_process.run("check", "mine.least_squares", cwd=tmp_path, variables=variables)
    assert checked.code == 0, checked.out
    again = in_process.run("new", "backend", "mine.least_squares", "--out", "own", cwd=tmp_path)
    assert again.code == 2
    assert in_process.run("new", "backend", "Mine", cwd=tmp_path).code == 2
    assert in_process.run("new", "thing", cwd=tmp_path).code == 2


def test_a_design_is_the_same_bytes_in_every_process(table):
    from bench.data import dataset
    from bench.formula.make import load

    assert new(table, "--formula", "y ~ age + C(region)").code == 0
    first = dataset(load(table.parent / "mine.toml"), seed=0, rep=0)
    designs._made.clear()
    second = dataset(load(table.parent / "mine.toml"), seed=0, rep=0)  # from the cache
    assert first.digest == second.digest
    assert not np.shares_memory(first.arrays["x"], second.arrays["x"])
    assert not second.arrays["x"].flags.writeable

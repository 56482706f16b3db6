"""What becomes of fits in pytest: items, times, extra_info, failures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.conftest import FAKES as OTHER_FAKES
from tests.pytest_plugin.conftest import FIT, Ended, Project, select

NAME = f"s4-linear/{FIT}"
ASKED = ("seconds_cold", "seconds_compile", "ess_bulk_min", "ess_per_second", "b2_avg", "recovery_rmse", "gradients")


def walk(tree: Any):
    yield tree
    for inner in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from walk(inner)


def test_a_benchmark_has_its_name_times_and_facts_in_strict_json(baseline: Ended):
    entry = baseline.benchmarks[NAME]
    assert entry["fullname"] == f"bench::{NAME}" and entry["group"] == "s4-linear"
    assert entry["params"] == {"scenario": "s4-linear", "backend": FIT, "kind": "mcmc"}
    info = entry["extra_info"]
    assert info["status"] == "ok" and info["fits"] == info["fits_ok"] == 10
    assert all(isinstance(info[name], float) and math.isfinite(info[name]) for name in ASKED)
    assert info["k_hat"] is None and info["none"]["k_hat"].startswith("n/a")
    assert info["gradients"] == 1000 and info["device"] == "cpu" and info["dtype"] == "float64" and info["threads"] >= 1
    assert "numpy" in info["versions"]
    assert all(math.isfinite(leaf) for leaf in walk(baseline.json) if isinstance(leaf, float))


SLEEPS = select(backend="fake.exact[sleep=0.03,chains=2,draws=100]")
"""Sleeps 0.02 s in warmup and as long as told in sampling, and 0.1 s where it compiles; a sleep never ends early."""


def test_times_are_the_childs_own_warm_seconds_and_compile_stays_out(project: Project):
    ended = project.here(*SLEEPS, "--bench-reps", "3", "--bench-rounds", "1", backends=OTHER_FAKES)
    assert ended.code == 0, ended.out
    (entry,) = ended.benchmarks.values()
    (cell,) = ended.json["posterior_bench"]["cells"].values()
    cold, *warm = cell["fits"]["seconds_total"]
    assert entry["stats"]["data"] == warm and len(warm) == 2 and entry["extra_info"]["seconds_cold"] == cold
    assert min(warm) >= 0.05 and entry["extra_info"]["seconds_compile"] >= 0.1
    # the median of two may round once
    assert entry["extra_info"]["seconds_warm"] == pytest.approx(entry["stats"]["median"], rel=1e-15)
    parts = [cell["fits"][f"seconds_{phase}"] for phase in ("warmup", "sample")]
    assert min(parts[0]) >= 0.02 and min(parts[1]) >= 0.03


@pytest.mark.slow
def test_they_are_those_of_the_run_that_is_kept_to_the_last_bit(project: Project):
    few = ("--bench-reps", "3", "--bench-rounds", "2", "--bench-results", "kept")
    ended = project.here(*SLEEPS, *few, backends=OTHER_FAKES)
    (entry,) = ended.benchmarks.values()
    (run,) = (project.path / "kept").iterdir()
    fits = pd.read_parquet(run / "fits.parquet")
    warm, cold = (fits[fits["cold"] == c]["seconds_total"].to_list() for c in (False, True))
    assert entry["stats"]["data"] == warm and len(warm) == 4
    assert entry["extra_info"]["seconds_cold"] == pd.Series(cold).median()
    assert (run / "report.html").is_file() and "report.html" in ended.out


@pytest.mark.slow
def test_markers_keywords_groups_and_deselection_work(project: Project):
    asked = (*select("s0-*"), *select("s4-linear", "exact.posterior"))
    scenarios = ("s0-exponential", "s0-uniform", "s4-linear")
    every = project.here("--collect-only", "-q", *asked)
    names = {line for line in every.out.splitlines() if "::" in line}
    assert names == {"test_own.py::test_own", *(f"bench::{s}/{b}" for s in scenarios for b in (FIT, "exact.posterior"))}
    for chosen, count in (("-k", "exact"), 3), (("-k", "mcmc and s4-linear"), 1), (("-m", "not bench"), 1):
        ended = project.here("--collect-only", "-q", *asked, *chosen)
        assert sum("::" in line for line in ended.out.splitlines()) == count, chosen
    none = project.here("--collect-only", *asked, "-k", "nothing")
    said = "bench: no benchmark is selected, none will be measured; there are s0-exponential/"
    assert said in none.out and " and 1 more" in none.out
    run = project.here("-q", *asked, "-k", "exact and s4", "--benchmark-group-by=param:backend", "--benchmark-only")
    assert run.code == 0 and "backend=exact.posterior" in run.out
    assert list(run.benchmarks) == ["s4-linear/exact.posterior"]
    assert len(run.json["posterior_bench"]["deselected"]) == 5


@pytest.mark.slow
def test_a_fit_that_fails_fails_the_test_and_stays_in_the_json(project: Project):
    status, said = "failed", "ArithmeticError: planned, with a <tag>"
    ended = project.fits(plant={"fail": 1})
    assert ended.code == 3, ended.out
    assert "1 failed, 1 passed" in ended.out and said in ended.out and "bench gate: fits failed" in ended.out
    entry = ended.benchmarks[NAME]
    assert entry["extra_info"]["status"] == status and said in entry["extra_info"]["reason"]
    assert entry["stats"]["median"] is None and entry["extra_info"]["seconds_warm"] is None
    assert "not every fit finished" in entry["extra_info"]["none"]["seconds_warm"]
    assert set(entry["params"]) == {"scenario", "backend", "kind"}


@pytest.mark.slow
def test_a_saved_run_with_a_failure_can_still_be_compared_by_pytest_benchmark(project: Project):
    small = (*select(), "--bench-rounds", "1", "--bench-reps", "2")
    assert project.here(*small, "--benchmark-save=first", plant={"fail": 0}).code == 3
    again = project.here(*small, "--benchmark-compare")
    assert again.code == 0 and "Traceback" not in again.out, again.out


@pytest.mark.slow
def test_what_cannot_run_here_is_skipped_with_its_reason_unless_it_was_named(project: Project):
    by_glob = project.here("-rs", *select("s3-best", "sklearn.*"), *select("s3-best"), "--benchmark-only")
    assert by_glob.code == 0 and "fits linear" in by_glob.out, by_glob.out
    assert len(by_glob.benchmarks) == 1
    named = project.here(*select("s3-best", "sklearn.ols"), "--benchmark-only")
    assert named.code == 3 and "unsupported" in named.out


@pytest.mark.slow
def test_benchmark_disable_makes_one_fit_and_benchmark_skip_none(project: Project):
    disabled = project.fits("--benchmark-disable")
    assert disabled.code == 0 and "[1/1]" in disabled.out
    skipped = project.fits("--benchmark-skip")
    assert skipped.code == 0 and "1 skipped" in skipped.out and "scoring" not in skipped.out


@pytest.mark.slow
def test_an_unwritable_results_folder_is_one_sentence(project: Project):
    (project.path / "file").write_text("")
    ended = project.fits("--bench-results", str(Path("file") / "below"))
    assert ended.code == 1 and "nothing could be measured: cannot write to" in ended.out
    assert "Traceback" not in ended.out and "INTERNALERROR" not in ended.out

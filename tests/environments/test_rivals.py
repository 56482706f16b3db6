"""Every rival is fitted for real in an environment of its own, as `bench install` makes it: `make test-envs`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from bench.catalog.backends import backend, forget
from bench.catalog.environments import environment
from bench.catalog.frameworks import frameworks
from bench.catalog.places import backend_files
from bench.store.folder import RunFolder
from tests.conftest import ROOT

pytestmark = pytest.mark.environments
RIVALS = [name for name, framework in frameworks().items() if framework.lock.is_file()]
METHODS = [name for name in backend_files() if backend(name).framework in RIVALS]
SCENARIO = "s0-uniform"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunFolder]:
    """One run of all of them; what has no environment is skipped with the command that makes it."""
    hidden = os.environ.pop("BENCH_ENVS")
    forget()
    yield fitted(tmp_path_factory.mktemp("rivals"))
    os.environ["BENCH_ENVS"] = hidden
    forget()


def fitted(folder: Path) -> RunFolder:
    if absent := [name for name in RIVALS if environment(name) is None]:
        pytest.skip(f"no environment of {', '.join(absent)}: python -m bench install {' '.join(absent)}")
    named = [word for name in METHODS for word in ("-b", name)]
    command = [sys.executable, "-m", "bench", "run", "-s", SCENARIO, *named, "--reps", "2", "--timeout", "900"]
    done = subprocess.run(
        [*command, "--results", str(folder), "--name", "rivals"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return RunFolder(folder / "rivals")


@pytest.fixture(scope="module")
def fits(run: RunFolder) -> Callable[[str], pd.DataFrame]:
    table = pd.read_parquet(run.path / "fits.parquet")
    return lambda name: table[table["backend"] == name].sort_values("rep")


@pytest.fixture(scope="module")
def metric(run: RunFolder) -> Callable[[str, str], pd.Series]:
    table = pd.read_parquet(run.path / "metrics.parquet")
    return lambda name, what: table[(table["backend"] == name) & (table["metric"] == what)]["value"]


def test_every_rival_has_a_method_here() -> None:
    assert {backend(name).framework for name in METHODS} == {"blackjax", "nutpie", "pymc", "stan"}


@pytest.mark.parametrize("name", METHODS)
def test_it_is_fitted_in_its_environment_and_counts_its_work(
    fits: Callable[[str], pd.DataFrame], run: RunFolder, name: str
) -> None:
    found = fits(name)
    assert list(found["status"]) == ["ok", "ok"], list(found["reason"])
    assert set(found["environment"]) == {backend(name).framework}
    assert (found["gradients"] > 0).all()
    versions = run.manifest().versions
    assert f"{backend(name).framework}/numpy" in versions


@pytest.mark.parametrize("name", METHODS)
def test_the_first_rep_compiles_and_the_second_does_not(fits: Callable[[str], pd.DataFrame], name: str) -> None:
    cold, warm = fits(name)["seconds_compile"]
    assert cold > 0.5 and warm < 0.05 * cold
    assert "compiled for" not in fits(name)["notes"].iloc[1]


@pytest.mark.parametrize("name", [name for name in METHODS if backend(name).kind == "mcmc"])
def test_a_sampler_agrees_with_the_exact_posterior(metric: Callable[[str, str], pd.Series], name: str) -> None:
    """In each fit: at 300 effective draws b² is a χ² of one degree of freedom over 300, and the largest of some 50
    expectations, whose χ² exceeds 15 once in 200, stays below 0.05."""
    assert 0.0 < metric(name, "b2_max").max() < 0.05
    assert metric(name, "ess_bulk_min").min() > 300


@pytest.mark.parametrize("name", [name for name in METHODS if backend(name).kind == "vi"])
def test_draws_of_q_can_be_weighted_into_the_posterior(metric: Callable[[str, str], pd.Series], name: str) -> None:
    """k-hat by the density that the method states of its draws; 0.7 is where importance weights begin to fail."""
    assert metric(name, "k_hat").max() < 0.7


def test_the_report_shows_what_each_yields(run: RunFolder) -> None:
    page = Path(run.path / "report.html").read_text(encoding="utf-8")
    assert "What each sampler yields" in page
    assert all(name in page for name in METHODS)

"""Every rival is fitted for real in an environment of its own, as `bench install` makes it: `make test-envs`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from bench import load
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
GO_ON = ["blackjax.nuts", "pymc.nuts"]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RunFolder]]:
    """Runs methods; where one has no environment tests are skipped with the command that makes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BENCH_ENVS")
        forget()
        if absent := [name for name in RIVALS if environment(name) is None]:
            pytest.skip(f"no environment of {', '.join(absent)}: python -m bench install {' '.join(absent)}")
        yield lambda *words: fit(tmp_path_factory.mktemp("rivals"), *words)
    forget()


def fit(folder: Path, methods: list[str], *words: str) -> RunFolder:
    named = [word for name in methods for word in ("-b", name)]
    command = [sys.executable, "-m", "bench", "run", "-s", SCENARIO, *named, *words, "--timeout", "900"]
    done = subprocess.run(
        [*command, "--results", str(folder), "--name", "rivals"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return RunFolder(folder / "rivals")


@pytest.fixture(scope="module")
def run(fitted: Callable[..., RunFolder]) -> RunFolder:
    """One run of all of them."""
    return fitted(METHODS, "--reps", "2")


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


def test_chains_go_on_until_their_error_meets_a_target(fitted: Callable[..., RunFolder]) -> None:
    made = fitted(GO_ON, "--reps", "2", "--until", "0.01")
    fits, metrics = (pd.read_parquet(made.path / f"{name}.parquet") for name in ("fits", "metrics"))
    assert (fits["status"] == "ok").all(), list(fits["reason"])
    for name in GO_ON:
        rows, found = (table[table["backend"] == name] for table in (fits, metrics))
        assert set(found[found["metric"] == "target_met"]["value"]) == {1.0}
        spent = rows.set_index("rep")[["seconds_warmup", "seconds_sample"]].sum(axis=1)
        took = found[(found["metric"] == "time_to_target") & found["rep"].notna()].set_index("rep")["value"]
        assert list(took.index) == [1] and 0.0 < took[1] < spent[1]  # as many draws again follow
        # of draws that were not looked at: 100 or more, whose worst b² of some 50 is below 0.15 but once in 200
        after = found[(found["metric"] == "b2_after_target") & found["rep"].isna()]["value"].item()
        assert 0.0 < after < 0.15


def test_chains_that_miss_their_target_end_at_the_limit_and_say_so(fitted: Callable[..., RunFolder]) -> None:
    """The first look, after 1000 draws, is over the limit already; the worst of some 50 errors is then above 1/1000."""
    made = fitted(GO_ON, "--reps", "1", "--until", "0.001", "--until-limit", "0.001")
    fits, metrics = (pd.read_parquet(made.path / f"{name}.parquet") for name in ("fits", "metrics"))
    assert (fits["status"] == "ok").all() and fits["notes"].str.contains("the target 0.001 was not met").all()
    assert set(metrics[metrics["metric"] == "target_met"]["value"]) == {0.0}
    assert not set(metrics["metric"]) & {"time_to_target", "time_to_target_cold", "b2_after_target"}
    for name in GO_ON:
        drawn = load(made.path).inference_data(name).posterior
        assert drawn.sizes["chain"] * drawn.sizes["draw"] == 1000

"""What the harness itself takes, without any fit: `make bench`."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import plan
from bench.analysis.sections import report
from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.present import markdown
from bench.present.html import report as html
from bench.score.problem import Problem, Scored
from bench.score.scores import score
from bench.store import arrays, tables
from bench.store.folder import RunFolder
from bench.store.manifest import run_of
from bench.store.records import Record
from bench.types import Dataset, Fit
from tests.conftest import ROOT
from tests.present.conftest import canned

Often = Callable[..., Any]
CHAINS, DRAWS, SCALARS = 4, 1000, 1000
FITS = 200


@pytest.mark.parametrize("verb", [["--help"], ["list"], ["info", "numpyro.nuts"]], ids=" ".join)
def test_a_light_verb_in_a_process_of_its_own(often: Often, verb: list[str]) -> None:
    done = often(lambda: subprocess.run([sys.executable, "-m", "bench", *verb], cwd=ROOT, capture_output=True))
    assert done.returncode == 0 and done.stdout


def test_planning_1000_cells_and_the_order_of_their_children(often: Often) -> None:
    """Each time with other sizes: a plan keeps what it has read."""
    sizes = itertools.count(100, 100)

    def choice() -> tuple[plan.Choice]:
        first = next(sizes)
        n_obs = ",".join(map(str, range(first, first + 50)))
        steps = ",".join(map(str, range(1000, 1020)))
        return (plan.Choice(scenarios=[f"s1-known-noise[n_obs=[{n_obs}]]"], backends=[f"numpy.gd[steps=[{steps}]]"]),)

    made = often(lambda chosen: list(plan.make(chosen).jobs()), choice)
    assert len(made) == 1000


@pytest.mark.parametrize("name", ["s4-linear", "correlated-rho95", "wide-n1000-p100"])
def test_simulating_a_data_set(often: Often, name: str) -> None:
    loaded, reps = scenario(name), itertools.count()
    data = often(lambda rep: dataset(loaded, seed=0, rep=rep), lambda: (next(reps),), rounds=20)
    assert data.digest


@pytest.mark.parametrize("name", ["s0-uniform", "correlated-rho95", "wide-n1000-p100"])
def test_an_exact_reference_with_its_quantiles(often: Often, name: str) -> None:
    loaded, reps = scenario(name), itertools.count()

    def make() -> tuple[Dataset]:
        return (dataset(loaded, seed=0, rep=next(reps)),)

    def work(data: Dataset) -> Any:
        return Problem(data, family(data.family), family(data.family).reference(data)).quantiles

    quantiles = often(work, make, rounds=3, warm=False)
    assert np.isfinite(quantiles).all()


@pytest.fixture(scope="module")
def large() -> tuple[Dataset, Fit]:
    """A fit of 4 chains of 1000 draws of 1000 scalars: 998 weights, bias and sigma."""
    wide = scenario("wide-n1000-p100", {"n_features": SCALARS - 2, "n_obs": 2 * SCALARS})
    data = dataset(wide, seed=0, rep=0)
    assert data.dim == SCALARS
    drawn = family(data.family).reference(data).draw(CHAINS * DRAWS, np.random.default_rng(0))
    draws = {name: value.reshape(CHAINS, DRAWS, *value.shape[1:]) for name, value in drawn.items()}
    return data, Fit("mcmc", draws, stats={"gradients": 9000, "gradients_warmup": 4000})


def test_scoring_4_chains_of_1000_draws_of_1000_scalars(often: Often, large: tuple[Dataset, Fit]) -> None:
    """Everything but the reference and its quantiles, which are made once for all fits of a data set."""
    data, fit = large
    problem = Problem(data, family(data.family), family(data.family).reference(data))
    assert problem.quantiles.shape[1] == problem.iid_quantiles(CHAINS * DRAWS).shape[1] == SCALARS

    def make() -> tuple[Scored]:
        return (Scored(problem, fit, {"warmup": 1.0, "sample": 1.0}, False, (), 1),)

    rows = often(score, make, rounds=3, warm=False)
    assert sum(row.metric == "r_hat" for row in rows) == SCALARS


def empty_run(place: Path) -> RunFolder:
    """A run of one cell, of which nothing is made yet."""
    planned = plan.make(plan.Choice(scenarios=["s4-linear"], backends=["numpy.gd"], reps=FITS, rounds=1))
    folder = RunFolder.create(place, None)
    folder.write_manifest(run_of(planned.description()))
    return folder


def store(folder: RunFolder, rep: int, npz: Path | None) -> None:
    """A fit of the run's only cell."""
    cell = folder.manifest().cells[0].id
    seconds = {"import": 0.1, "warmup": 0.5, "sample": 0.5}
    folder.write_fit(Record(cell, rep, 0, 0, rep == 0, "ok", seconds=seconds, stats={"gradients": 100}), npz, b"log\n")


def test_appending_a_fit_of_4000_draws_to_a_run(often: Often, tmp_path: Path) -> None:
    """As the worker does: arrays synced, then a folder that appears whole."""
    folder, reps = empty_run(tmp_path), itertools.count()
    fit = Fit("mcmc", {"weights": np.random.default_rng(0).standard_normal((CHAINS, DRAWS, 10))})

    def append(rep: int) -> None:
        npz = tmp_path / "draws.npz"
        arrays.save(npz, fit, [])
        store(folder, rep, npz)

    often(append, lambda: (next(reps),), rounds=20)
    assert len(list((folder.path / "fits").iterdir())) == 21


def test_reading_a_run_of_200_records_into_its_table(often: Often, tmp_path: Path) -> None:
    folder = empty_run(tmp_path)
    for rep in range(FITS):
        store(folder, rep, None)
    fits = often(tables.fits_table, lambda: (folder,))
    assert (fits["status"] == "ok").all() and len(fits) == FITS


@pytest.mark.parametrize("form", [markdown, html], ids=lambda form: form.__name__.rpartition(".")[2])
def test_rendering_a_report_of_8_scenarios_and_1080_fits(often: Often, form: Any) -> None:
    """From tables that no call has seen before, sections included."""
    names = tuple(f"scenario-{i}" for i in range(8))
    text = often(lambda tables: form.render(report(tables)), lambda: (canned(scenarios=names),), rounds=3)
    assert all(name in text for name in names)

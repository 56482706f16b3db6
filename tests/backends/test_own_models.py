"""Models of the user's own: every framework has the same density of the examples, and what differs is found."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from scipy import stats

import bench
from bench.catalog.scenarios import load
from bench.data import dataset
from bench.measure.runtime import runtime_of
from bench.plan import Choice, make
from bench.types import Dataset, Place
from bench.verify import gate, points
from tests import in_process
from tests.measure.inprocess import InProcess
from tests.scenarios.test_own_model import EXAMPLES

FRAMEWORKS = ("numpyro", "pyro", "torch")
pytestmark = pytest.mark.needs("torch", "pyro", "numpyro")


def densities(data: Dataset, framework: str, z):
    runtime_of(framework).start(Place())
    return importlib.import_module(f"backends.{framework}.models").log_density(data, z, Place())


@pytest.fixture
def mixture(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLES / "mixture", tmp_path / "mixture", ignore=shutil.ignore_patterns("jax.py")))


def verified(folder: Path, *frameworks: str):
    """At 12 points for 64: Pyro looks at them one by one."""
    planned = make(Choice([f"{folder}/"], [f"{name}.nuts" for name in frameworks]))
    few = mock.patch.multiple(points, NEAR=6, POSTERIOR=6)
    with few, mock.patch.object(gate, "default_threads", lambda: 1):
        return gate.verify(gate.pairs_of(planned), lambda text: None, executor=InProcess())


@pytest.mark.parametrize("name", sorted(folder.name for folder in EXAMPLES.iterdir()))
def test_the_examples_have_one_density_in_all_frameworks(name: str, tmp_path: Path) -> None:
    """But in Stan, whose program takes half a minute to build."""
    folder = shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=shutil.ignore_patterns("*.stan"))
    found = verified(folder, *FRAMEWORKS)
    assert {one.framework for one in found} >= set(FRAMEWORKS)
    assert {(one.verdict, one.reason) for one in found} == {("same", "")}


@pytest.mark.slow
@pytest.mark.needs("stan")
def test_a_stan_program_has_the_density_of_the_other_files() -> None:
    outcomes = verified(EXAMPLES / "item-response", "stan", "torch")
    assert {(one.verdict, one.reason) for one in outcomes} == {("same", "")}
    assert "stan" in {one.framework for one in outcomes}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_mixture_is_that_of_scipy(framework: str) -> None:
    """On the unconstrained scale, with the Jacobians of exp and of the logistic function."""
    data = dataset(load(EXAMPLES / "mixture" / "model.toml"), seed=0, rep=0)
    z = np.random.default_rng(0).uniform(-1.5, 1.5, (5, 4))
    low, gap, sigma, share = z[:, 0], np.exp(z[:, 1]), np.exp(z[:, 2]), 1 / (1 + np.exp(-z[:, 3]))
    y = data.arrays["y"][:, None]
    each = (1 - share) * stats.norm.pdf(y, low, sigma) + share * stats.norm.pdf(y, low + gap, sigma)
    wanted = np.log(each).sum(axis=0) + z[:, 1] + z[:, 2] + np.log(share * (1 - share))
    wanted += stats.norm.logpdf(low, 0, 3) + stats.halfnorm.logpdf(gap, scale=3) + stats.halfnorm.logpdf(sigma, scale=2)
    wanted += stats.beta.logpdf(share, 2, 2)
    step = 1e-6
    moves = step * np.concatenate([np.zeros((1, 4)), np.eye(4), -np.eye(4)])
    values, gradients = densities(data, framework, z + moves[:, None])  # at once: each call compiles
    value, gradient, up, down = values[0], gradients[0], values[1:5], values[5:]
    np.testing.assert_allclose(value - value[0], wanted - wanted[0], rtol=1e-10, atol=1e-9)
    for i in range(4):
        # rounding of values of some hundreds over the step: 1e-7
        np.testing.assert_allclose((up[i] - down[i]) / (2 * step), gradient[:, i], rtol=1e-5, atol=1e-5)


def test_a_trajectory_that_leaves_the_finite_numbers_is_no_exception() -> None:
    data = dataset(load(EXAMPLES / "mixture" / "model.toml"), seed=0, rep=0)
    value, _ = densities(
        data, "torch", np.array([[np.nan, 0.0, 0.0, 0.0], [0.0, 0.0, 800.0, 0.0], [0.1, 0.2, 0.3, 0.4]])
    )
    assert not np.isfinite(value[0]) and np.isfinite(value[2])


def test_a_model_that_differs_is_refused_with_both_names(mixture: Path) -> None:
    code = (mixture / "torch.py").read_text()
    (mixture / "torch.py").write_text(code.replace("Beta(2.0, 2.0)", "Beta(2.0, 3.0)"))
    outcomes = verified(mixture, *FRAMEWORKS)
    assert {one.verdict for one in outcomes} == {"wrong"}
    assert all("numpyro.py and torch.py differ: centred log density off by" in one.reason for one in outcomes)
    assert not any(
        "pyro.py and pyro.py" in one.reason or "numpyro.py and pyro.py differ" in one.reason for one in outcomes
    )


def test_a_constant_makes_no_difference_and_one_alone_is_unknown(mixture: Path) -> None:
    (mixture / "pyro.py").unlink()
    code = (mixture / "torch.py").read_text()
    (mixture / "torch.py").write_text(code.replace("return (\n", "return (\n        3.0 +\n", 1))
    assert [one.verdict for one in verified(mixture, "torch")] == ["same", "same"]  # NumPyro's is there to compare with
    (mixture / "numpyro.py").unlink()
    (alone,) = verified(mixture, "torch")
    assert (alone.verdict, alone.reason) == (
        "unknown", "only torch.py has its density: there is nothing to hold it against",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "verdict", "words"),
    [
        ("def log_density(data, params):\n    raise RuntimeError('planned')\n", "failed", "planned"),
        ("other = 1\n", "unsupported", "mixture/torch.py defines no function log_density"),
        ("def log_density(data, params):\n    return params['low'] + params['mu']\n", "failed", "mu"),
    ],
)
def test_code_that_cannot_answer_says_why(mixture: Path, code: str, verdict: str, words: str) -> None:
    (mixture / "torch.py").write_text(code)
    for other in ("numpyro.py", "pyro.py"):
        (mixture / other).unlink()
    (outcome,) = verified(mixture, "torch")
    assert outcome.verdict == verdict and words in outcome.reason


SMALL = "chains=2,warmup=100,draws=100"


@pytest.mark.parametrize(
    ("backends", "others"),
    [
        ([f"torch.metropolis[{SMALL}]"], ("numpyro.py", "pyro.py")),
        pytest.param(
            [f"numpyro.nuts[{SMALL}]", "torch.map[steps=50]", "pyro.svi[particles=2,restarts=1,steps=20]"], (),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["torch", "all"],
)  # fmt: skip
def test_it_is_fitted_and_nothing_certifies_it(mixture: Path, backends: list[str], others: tuple[str, ...]) -> None:
    """Small budgets: the posterior itself is the samplers' affair. Metropolis proposes outside the support, too."""
    for name in others:  # whose densities would be compiled
        (mixture / name).unlink()
    named = [word for backend in backends for word in ("-b", backend)]
    with mock.patch("bench.measure.local.Local", InProcess), mock.patch.object(gate, "default_threads", lambda: 1):
        done = in_process.run("run", "mixture/", *named, "--reps", "1", "--name", "r", cwd=mixture.parent)
    assert done.code == 0, done.out + done.err
    run = bench.load(mixture.parent / "results" / "r")
    assert set(run.fits["status"]) == {"ok"}
    assert "b2_max" not in set(run.metrics["metric"])
    draws = run.metrics[run.metrics["metric"] == "mean"]
    assert set(draws["part"]) == {"low", "gap", "sigma", "share"}

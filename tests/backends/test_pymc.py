"""PyMC: what its sampler counts and times, one program for all data, cold compilation, models of one's own."""

from __future__ import annotations

import importlib
import inspect
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.catalog.backends import backend
from bench.catalog.scenarios import load, scenario
from bench.data import dataset, family
from bench.measure.runtime import runtime_of
from bench.types import Array, Budget, Dataset, Place, Unsupported
from tests.scenarios.test_own_model import EXAMPLES

pytestmark = pytest.mark.needs("pymc")

BUDGET = Budget("test", chains=2, warmup=20, draws=20, steps=1, reps=1, rounds=1, timeout=60.0)


@pytest.fixture(scope="module")
def fitted(contender: Callable[..., Any]) -> Any:
    """A contender of `eight-schools`, compiled once for these tests."""
    return contender("pymc.nuts", dataset(scenario("eight-schools"), seed=0, rep=0), chains=2, draws=400)


def test_other_data_compile_nothing_and_have_their_own_answer(fitted: Any) -> None:
    data = dataset(scenario("eight-schools"), seed=0, rep=0)
    before = fitted.runtime.compile_seconds()
    for observed in (data, replace(data, arrays={**data.arrays, "y": data.arrays["y"] + 15.0})):
        fit, clock = fitted.fit(observed)
        assert set(clock.seconds) == {"transfer", "warmup", "sample"} and clock.recompiled == 0.0
        exact = family(data.family).reference(observed)
        for name in data.names:
            # 800 draws, worth 200 of independent ones and more: five standard errors of a mean
            assert np.all(np.abs(fit.draws[name].mean((0, 1)) - exact.mean[name]) < 0.35 * exact.sd[name])
        z = family(data.family).unconstrain(observed, fit.draws)
        values = family(data.family).log_density(observed, z)[0]
        # rounding of a hundred nats; the other data would be off by whole ones
        np.testing.assert_allclose(
            fit.stats["log_density"] - fit.stats["log_density"][0, 0], values - values[0, 0], atol=1e-9
        )
    assert fitted.runtime.compile_seconds() == before > 0.0


def test_every_gradient_is_counted(fitted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    density = fitted.program.compiled.density
    compiled, calls = density._pytensor_function, []

    def counting(point: Array) -> Any:
        calls.append(1)
        return compiled(point)

    monkeypatch.setattr(density, "_pytensor_function", counting)
    fit, _ = fitted.fit(dataset(scenario("eight-schools"), seed=0, rep=0))
    assert fit.stats["gradients"] == len(calls)
    assert fit.stats["gradients"] - fit.stats["gradients_warmup"] == fit.stats["num_steps"].sum()
    assert fit.stats["num_steps"].min() >= 2  # the root of a tree, and a leaf


def test_options_that_do_not_go_together_are_refused() -> None:
    method, data = importlib.import_module("backends.pymc.nuts"), dataset(scenario("eight-schools"), seed=0, rep=0)
    for options, words in (({"progress_bar": True}, "aot=false"), ({"aot": False}, "init=uniform")):
        with pytest.raises(Unsupported, match=words):
            method.build(data, BUDGET, method.Options(**options), Place())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Tuning samples", "ignore:PyTensor could not link to a BLAS")
def test_the_defaults_compile_on_every_call_and_have_the_same_answer(
    contender: Callable[..., Any], linear: Callable[..., Dataset]
) -> None:
    data = linear()
    made = contender("pymc.nuts", data, draws=500, **backend("pymc.nuts").defaults)
    exact = family("linear").reference(data)
    for _ in range(2):
        fit, clock = made.fit(data)
        assert clock.recompiled > 0.0
        # 2000 draws of NUTS, worth some hundreds: five standard errors of a mean at 400
        for name in data.names:
            assert np.all(np.abs(fit.draws[name].mean((0, 1)) - exact.mean[name]) < 0.25 * exact.sd[name])


def test_the_track_defaults_is_what_pymc_ships() -> None:
    pm = importlib.import_module("pymc")
    info = backend("pymc.nuts")
    track = {name: option.default for name, option in info.options.items()} | dict(info.defaults)
    kernel, base = inspect.signature(pm.NUTS).parameters, inspect.signature(pm.NUTS.__mro__[1]).parameters
    assert kernel["max_treedepth"].default == track["max_tree_depth"]
    assert base["target_accept"].default == track["target_accept"]
    call = inspect.signature(pm.sample).parameters
    assert (call["init"].default, call["progressbar"].default) == ("auto", track["progress_bar"])


COMPILING = """
import json
from pathlib import Path
from backends._shared import pytensor as shared
from bench.types import Place
import numpy as np
import pytensor, pytensor.tensor as pt
shared.start(Place())
x = pt.dvector("x")
with shared.compiling("default"):
    folder = Path(pytensor.config.compiledir)
    made = pytensor.function([x], pt.exp(x) + pt.log1p(x), mode="CVM")
    kept = len([file for file in folder.rglob("*.so")])
print(kept, folder.exists(), made(np.zeros(1))[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="PyTensor has no C compiler here")
def test_c_is_compiled_anew_in_every_process_and_leaves_nothing() -> None:
    for _ in range(2):
        code = [sys.executable, "-W", "ignore", "-c", COMPILING]
        kept, left, value = subprocess.run(code, capture_output=True, text=True, check=True).stdout.split()
        assert int(kept) > 0 and left == "False" and float(value) == 1.0


@pytest.mark.parametrize("parametrisation", ["centred", "non-centred"])
@pytest.mark.parametrize("name", ["eight-schools", "varying-intercept"])
def test_hierarchies_match_the_family(name: str, parametrisation: str) -> None:
    data = dataset(scenario(name, {"parametrisation": parametrisation}), seed=0, rep=0)
    z = np.random.default_rng(1).uniform(-2, 2, (4, data.dim))
    value, gradient = densities(data, z)
    expected, slope = family(data.family).log_density(data, z)
    # sums of a hundred terms, each rounded at 1e-16 relative
    np.testing.assert_allclose(value - value[0], expected - expected[0], atol=1e-12 * np.abs(expected).max())
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-10 * np.abs(slope).max())


@pytest.mark.slow
@pytest.mark.parametrize("link", ["", "probit"])
def test_what_numba_compiles_is_right_in_both_tails(link: str, logistic: Callable[..., Dataset]) -> None:
    """The program that is timed, where the densities of other tests are evaluated without compilation."""
    data = replace(logistic(), link=link)
    shared = importlib.import_module("backends._shared.pymc_models")
    model = importlib.import_module("backends.pymc.models").model(data)
    function = model.logp_dlogp_function(ravel_inputs=True, mode=shared.LINKERS["numba"])
    function.set_extra_values({})
    for z in (np.array([0.5, -1.0, 0.2]), np.array([-800.0, 900.0, 0.0]), np.array([700.0, 700.0, -800.0])):
        slope = family("logistic").log_density(data, z[None])[1][0]
        np.testing.assert_allclose(function([z])[1], slope, rtol=1e-9)


MIXTURE = """
import pymc as pm
import pytensor.tensor as pt

def model(y):
    low = pm.Normal("low", 0.0, 3.0)
    share = pm.Beta("share", 2.0, 2.0)  # another order than that of model.toml
    gap = pm.HalfNormal("gap", 3.0)
    sigma = pm.HalfNormal("sigma", 2.0)
    each = [pm.logp(pm.Normal.dist(mu, sigma), y) for mu in (low, low + gap)]
    pm.Potential("y", pt.logaddexp(pt.log1p(-share) + each[0], pt.log(share) + each[1]).sum())
"""


@pytest.fixture
def mixture(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(EXAMPLES / "mixture", tmp_path / "mixture"))
    (folder / "pymc.py").write_text(MIXTURE)
    return folder


def densities(data: Dataset, z: Array) -> tuple[Array, Array]:
    runtime_of("pymc").start(Place())
    return importlib.import_module("backends.pymc.models").log_density(data, z, Place())


def test_a_model_of_ones_own_is_that_of_scipy(mixture: Path) -> None:
    """On the unconstrained scale, with the Jacobians of exp and of the logistic function."""
    data = dataset(load(mixture / "model.toml"), seed=0, rep=0)
    z = np.random.default_rng(0).uniform(-1.5, 1.5, (5, 4))
    low, gap, sigma, share = z[:, 0], np.exp(z[:, 1]), np.exp(z[:, 2]), 1 / (1 + np.exp(-z[:, 3]))
    y = data.arrays["y"][:, None]
    each = (1 - share) * stats.norm.pdf(y, low, sigma) + share * stats.norm.pdf(y, low + gap, sigma)
    wanted = np.log(each).sum(axis=0) + z[:, 1] + z[:, 2] + np.log(share * (1 - share))
    wanted += stats.norm.logpdf(low, 0, 3) + stats.halfnorm.logpdf(gap, scale=3) + stats.halfnorm.logpdf(sigma, scale=2)
    wanted += stats.beta.logpdf(share, 2, 2)
    moves = 1e-6 * np.concatenate([np.zeros((1, 4)), np.eye(4), -np.eye(4)])
    values, gradients = densities(data, z + moves[:, None])  # at once: each call rewrites the graph
    value, gradient, up, down = values[0], gradients[0], values[1:5], values[5:]
    np.testing.assert_allclose(value - value[0], wanted - wanted[0], rtol=1e-10, atol=1e-9)
    # rounding of values of some hundreds over the step: 1e-7
    np.testing.assert_allclose((up - down).T / 2e-6, gradient, rtol=1e-5, atol=1e-5)


def test_a_model_with_other_parameters_is_refused_with_both_names(mixture: Path) -> None:
    (mixture / "pymc.py").write_text(MIXTURE.replace('"gap"', '"distance"'))
    data = dataset(load(mixture / "model.toml"), seed=0, rep=0)
    with pytest.raises(Unsupported, match="samples distance, low, share, sigma, but the parameters are low, gap"):
        densities(data, np.zeros((1, 4)))

"""BlackJAX: programs that serve every rep, gradients that are counted as they are evaluated, and models in `jax.py`."""

from __future__ import annotations

import importlib
import shutil
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest

from bench.catalog.scenarios import load
from bench.cell import BUDGETS
from bench.data import dataset, family
from bench.measure.executor import Needs
from bench.measure.local import Local
from bench.plan import Choice, make
from bench.types import Dataset, Parameter, Place, Prior, Unsupported
from bench.verify import gate
from tests.measure.inprocess import InProcess
from tests.scenarios.test_own_model import EXAMPLES

pytestmark = pytest.mark.needs("blackjax")

SAMPLERS = ["nuts", *(pytest.param(name, marks=pytest.mark.slow) for name in ("chees", "mclmc"))]
"""Each compiles for ten seconds and more; what they share is seen of one."""


@pytest.mark.parametrize("method", SAMPLERS)
def test_one_program_serves_data_and_seeds_and_counts_what_is_evaluated(
    method: str, linear: Callable[..., Dataset], contender: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call back from inside the density tells how often it was evaluated, lockstep included."""
    jax = importlib.import_module("jax")
    models = importlib.import_module("backends.blackjax.models")
    plain, calls = models.unconstrained, []

    def told(data: Dataset, arrays: Any, z: Any) -> Any:
        jax.debug.callback(lambda x: calls.append(1), z[0])
        return plain(data, arrays, z)

    monkeypatch.setattr(models, "unconstrained", told)
    options = {"ensemble": 4} if method == "chees" else {}
    made = contender(f"blackjax.{method}", linear(), draws=60, chains=2, **options)
    assert made.compile_clock.seconds["compile"] > 0.1  # the programs were compiled, and JAX said so
    for data, seed in ((linear(), 1), (linear(seed=5, weights=(0.1, 4.0)), 2)):
        calls.clear()
        before = made.runtime.compile_seconds()
        fit, clock = made.fit(data, seed)
        jax.effects_barrier()
        if seed > 1:  # the first call back compiles something of its own; that the program does not, conformance sees
            assert made.runtime.compile_seconds() == before and clock.recompiled == 0.0
        stats = fit.stats
        assert 0 < stats["gradients_warmup"] < stats["gradients"] <= stats["gradients_executed"]
        # NUTS: a chain that has arrived may run on in the last doubling of another, which nobody tells
        assert stats["gradients_executed"] <= len(calls) <= 1.02 * stats["gradients_executed"]
        assert stats["num_steps"].sum() == stats["gradients"] - stats["gradients_warmup"]
        exact = family("linear").reference(data)
        # Half a posterior sd is five standard errors at 100 effective draws of 120.
        assert np.all(np.abs(fit.draws["weights"].mean((0, 1)) - exact.mean["weights"]) < 0.5 * exact.sd["weights"])


@pytest.mark.slow
@pytest.mark.parametrize("resample", [False, True])
def test_pathfinder_gives_a_normal_with_its_density_or_weighted_draws(
    resample: bool, linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    """Known noise and flat priors: the posterior is a normal, which L-BFGS finds."""
    data = linear(bias=None, location=Prior("flat"), sigma=Prior("known", (1.0,)))
    made = contender("blackjax.pathfinder", data, resample=resample)
    fit, _ = made.fit(data)
    # 4 paths: 200 densities at each of 31 points and 200 for the weights; 4 gradients a step, 2 at the start
    assert fit.stats["gradients"] == 4 * (200 * 32 + 4 * 30 + 2)
    assert made.fit(data, 2)[1].recompiled == 0.0
    z, exact = fit.draws["weights"][0], family("linear").reference(data)
    assert z.shape == (4000, 2) and ("log_q" in fit.stats) is not resample
    # The ELBO of 200 draws chooses among points of a path: within a quarter of a posterior sd.
    assert np.all(np.abs(z.mean(0) - exact.mean["weights"]) < 0.25 * exact.sd["weights"])
    np.testing.assert_allclose(z.std(0), exact.sd["weights"], rtol=0.25)
    if not resample:
        mean, sd = fit.moments["weights"]
        # 4000 draws against 100 000: five standard errors of the smaller number.
        assert np.all(np.abs(z.mean(0) - mean) < 5 * sd / np.sqrt(4000))
        np.testing.assert_allclose(z.std(0), sd, rtol=5 / np.sqrt(2 * 4000))
        centred = z - mean
        precision = np.linalg.inv(np.cov(z.T))
        quadratic = -0.5 * np.einsum("ni,ij,nj->n", centred, precision, centred)
        # the same normal but for the error of its covariance, 2 % relative of squares of up to 20
        np.testing.assert_allclose(np.corrcoef(quadratic, fit.stats["log_q"][0])[0, 1], 1.0, atol=2e-3)


@pytest.mark.parametrize(
    ("method", "options", "why"),
    [
        ("mclmc", {}, "one scalar is to be inferred"),
        ("mclmc", {"trajectory": 1.0, "data": 2}, "needs 1.2 or more"),
        ("chees", {"ensemble": 1, "chains": 1}, "ChEES compares chains"),
    ],
)
def test_what_cannot_be_tuned_is_unsupported(
    method: str, options: dict[str, Any], why: str, linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    one = Dataset("linear", (Parameter("weights", (1,)),), linear().arrays, {"weights": Prior("flat")})
    with pytest.raises(Unsupported, match=why):
        contender(f"blackjax.{method}", linear() if options.pop("data", 0) else one, **options)


def test_no_process_that_has_imported_it_is_forked() -> None:
    """Its import starts the device's threads, for which a fork would wait for ever."""
    with Local() as executor:
        executor.prepare({Needs("blackjax", "cpu", "float64", 1, "matched"): {"blackjax.nuts"}}, lambda text: None)
        assert executor.prepared == set()


@pytest.fixture
def mixture(tmp_path: Path) -> Path:
    others = shutil.ignore_patterns("pyro.py", "torch.py")
    return Path(shutil.copytree(EXAMPLES / "mixture", tmp_path / "mixture", ignore=others))


def verified(folder: Path) -> list[tuple[str, str]]:
    planned = make(Choice([f"{folder}/"], ["blackjax.nuts", "numpyro.nuts"]))
    with mock.patch.object(gate, "default_threads", lambda: 1):
        found = gate.verify(gate.pairs_of(planned), lambda text: None, executor=InProcess())
        return [(one.verdict, one.reason) for one in found]


@pytest.mark.needs("numpyro")
@pytest.mark.parametrize("name", sorted(folder.name for folder in EXAMPLES.iterdir()))
def test_the_examples_in_jax_are_those_in_numpyro(name: str) -> None:
    assert set(verified(EXAMPLES / name)) == {("same", "")}


@pytest.mark.needs("numpyro")
def test_a_density_in_jax_serves_numpyro_too_and_proves_nothing_by_itself(mixture: Path) -> None:
    code = (mixture / "jax.py").read_text()
    (mixture / "jax.py").write_text(code.replace("share, 2.0, 2.0)", "share, 2.0, 3.0)"))
    differ = verified(mixture)
    assert {verdict for verdict, _ in differ} == {"wrong"}
    assert all("jax.py in blackjax and numpyro.py differ" in reason for _, reason in differ)
    (mixture / "numpyro.py").unlink()
    alone = "only jax.py has its density: there is nothing to hold it against"
    assert verified(mixture) == [("unknown", alone)] * 2


@pytest.mark.needs("numpyro")
def test_numpyro_has_the_density_of_a_file_in_jax(mixture: Path) -> None:
    """Supports and Jacobians are NumPyro's own there; BlackJAX's are written by hand."""

    (mixture / "numpyro.py").unlink()
    data = dataset(load(mixture / "model.toml"), seed=0, rep=0)
    z = np.random.default_rng(0).uniform(-1.5, 1.5, (5, data.dim))
    (one, slope), (other, other_slope) = (
        importlib.import_module(f"backends.{name}.models").log_density(data, z) for name in ("blackjax", "numpyro")
    )
    # sums of a hundred terms of some nats, each rounded at 1e-16 relative
    np.testing.assert_allclose(one - one[0], other - other[0], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(slope, other_slope, rtol=1e-9, atol=1e-9)


def test_a_refused_proposal_without_an_energy_leaves_the_energy_before_it() -> None:
    """Else one divergence, which a diagnostic counts, would make all statistics of a fit unusable."""
    jax, sampler = importlib.import_module("jax"), importlib.import_module("backends.blackjax.sampler")
    jnp = jax.numpy
    energies = jnp.array([jnp.nan, 3.0, jnp.inf, jnp.nan, 2.0])
    state_type = namedtuple("state_type", "position logdensity")

    def step(key: Any, state: Any, tuned: Any) -> tuple[Any, Any]:
        energy = energies[state.position[0].astype(int)]
        info = SimpleNamespace(is_divergent=~jnp.isfinite(energy), acceptance_rate=0.5, energy=energy)
        info.num_integration_steps = 1
        return state_type(state.position + 1.0, state.logdensity), info

    budget = replace(BUDGETS["quick"], chains=1, draws=5)
    program, starts = sampler.Program(budget, Place(), 1, None, None), state_type(jnp.zeros((1, 2)), jnp.array([-7.0]))
    _, drawn = sampler.moves(program, step, jax.random.key(0), (starts, None), 0, 5)
    np.testing.assert_array_equal(drawn.more["energy"], [[7.0, 3.0, 3.0, 3.0, 2.0]])
    np.testing.assert_array_equal(drawn.more["diverging"], [[True, False, True, True, False]])

"""SVI and MAP of NumPyro: steps are those of its own `SVI`, nothing compiles in a fit, and q is what it says."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.data import family
from bench.types import Array, Dataset, Diverged, Parameter, Place, Prior, Unsupported

pytestmark = pytest.mark.needs("numpyro")


@pytest.fixture
def correlated(linear: Callable[..., Dataset]) -> Dataset:
    """Weight and bias whose posterior is Gaussian, correlated by −0.87."""
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(100, 1))
    arrays = {"x": x, "y": 3 * x[:, 0] + 1 + 0.1 * rng.standard_normal(100)}
    normal = Prior("normal", (0.0, 10.0))
    priors = {"weights": normal, "bias": normal, "sigma": Prior("known", (0.1,))}
    return Dataset("linear", (Parameter("weights", (1,)), Parameter("bias")), arrays, priors)


def plainly(stepper: Any, data: Dataset, steps: int, at: Any, seed: int) -> Any:
    """The parameters after as many steps of NumPyro's own `SVI.run`, from the start that the fit has."""
    jax, infer, optim = (importlib.import_module(name) for name in ("jax", "numpyro.infer", "numpyro.optim"))
    models = importlib.import_module("backends.numpyro.models")
    args = models.to_arrays(data.arrays, data, Place())
    guide = stepper.guide()
    svi = infer.SVI(stepper.model, guide, optim.Adam(stepper.plan.lr), stepper.elbo)

    def run(at: Any) -> Any:
        return svi.run(jax.random.key(seed), steps, *args, progress_bar=False, init_params=stepper.place(guide, at))

    return jax.jit(lambda at: run(at).params)(at)


def test_steps_are_those_of_svi_run_on_every_data_set_and_compile_nothing(
    linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    plain = {"particles": 1, "restarts": 1, "window": 0, "lr_decay": 1.0, "lr": 0.02}
    made = contender("numpyro.svi", linear(), steps=60, **plain)
    assert made.compile_clock.seconds["compile"] > 0.1  # the programs were compiled, and JAX said so
    for data, seed in ((linear(), 1), (linear(seed=5, weights=(0.1, 4.0)), 3)):
        before = made.runtime.compile_seconds()
        fit, clock = made.fit(data, seed)
        assert made.runtime.compile_seconds() == before and clock.recompiled == 0.0
        assert fit.stats["gradients"] == fit.stats["steps"] == 60
        assert [point.step for point in clock.checkpoints[:8]] == [1, 2, 3, 4, 5, 6, 8, 10]
    params = plainly(made.program.stepper, data, 60, np.random.default_rng(seed).uniform(-2, 2, data.dim), seed + 1)
    # the same random numbers and the same arithmetic, which two programs may round differently
    np.testing.assert_allclose(fit.moments["weights"][0], params["weights_auto_loc"], rtol=1e-9)
    np.testing.assert_allclose(fit.moments["bias"][1], params["bias_auto_scale"], rtol=1e-9)


def test_map_steps_are_those_of_svi_run_too(linear: Callable[..., Dataset], contender: Callable[..., Any]) -> None:
    start = {"weights": [0.5, -0.5], "bias": 0.1, "sigma": 2.0}
    data = linear(start=start)
    made = contender("numpyro.map", data, steps=50, lr=0.05)
    before = made.runtime.compile_seconds()
    fit, _ = made.fit(data, 2)
    assert made.runtime.compile_seconds() == before
    params = plainly(made.program.written, data, 50, {key: np.asarray(x, float) for key, x in start.items()}, 2)
    for name in data.names:
        np.testing.assert_allclose(fit.draws[name][0, 0], params[f"{name}_auto_loc"], rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("guide", "exact"), [("normal", False), ("multivariate", True), ("low_rank", True), ("iaf", True)]
)
def test_guides_find_the_best_of_their_family(
    guide: str, exact: bool, correlated: Dataset, contender: Callable[..., Any]
) -> None:
    fit, _ = contender("numpyro.svi", correlated, guide=guide, steps=4000, lr_decay=0.01, window=0).fit(correlated)
    design = np.column_stack([correlated.arrays["x"], np.ones(100)])
    precision = design.T @ design / 0.01 + np.eye(2) / 100
    mean = np.linalg.solve(precision, design.T @ correlated.arrays["y"] / 0.01)
    sd = np.sqrt(np.diag(np.linalg.inv(precision)))
    found, spread = (np.append(fit.moments["weights"][i], fit.moments["bias"][i]) for i in (0, 1))
    # The mean-field optimum has the exact mean and the conditional sds 1/√precision_ii, half the marginal ones here;
    # the others hold the posterior itself. What Adam's noise leaves at a rate of 0.0005 is a tenth of an sd.
    np.testing.assert_allclose(found, mean, atol=0.1 * sd.max())
    np.testing.assert_allclose(spread, sd if exact else 1 / np.sqrt(np.diag(precision)), rtol=0.1)


@pytest.mark.parametrize(
    "guide", ["multivariate", *(pytest.param(g, marks=pytest.mark.slow) for g in ("iaf", "normal", "low_rank"))]
)
def test_every_guide_states_the_density_of_its_draws(
    guide: str, linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    """E_q[p/q] is the evidence for any q, on any scale: a wrong or missing Jacobian, or site order, would show."""
    data = linear(sigma=Prior("uniform", (0.0, 10.0)))
    fit, _ = contender("numpyro.svi", data, guide=guide, steps=600, lr=0.1, lr_decay=0.05, particles=8).fit(data)
    fam, log_q = family("linear"), fit.stats["log_q"]
    assert log_q.shape == (1, 4000)
    z = fam.unconstrain(data, {name: draws[0] for name, draws in fit.draws.items()})
    ratios = fam.log_density(data, z)[0] - log_q[0]
    weights = np.exp(ratios - ratios.max())
    estimate = ratios.max() + np.log(weights.mean())
    error = weights.std() / weights.mean() / np.sqrt(4000)
    assert error < 0.1  # q covers the posterior of four nearly independent scalars
    assert abs(estimate - fam.reference(data).log_evidence) < 5 * error
    for name, (mean, sd) in fit.moments.items():
        drawn = fit.draws[name][0]
        # 4000 independent draws: 5 errors of a mean; of an sd 1/√8000 = 1.1 %, five of those for normal tails
        assert np.all(np.abs(drawn.mean(0) - mean) < 5 * sd / np.sqrt(4000))
        np.testing.assert_allclose(drawn.std(0), sd, rtol=0.06)


def test_z_of_an_autoguide_are_in_the_order_of_the_sites(contender: Callable[..., Any]) -> None:
    """Of sites whose names are not in alphabetic order, which is how JAX sorts them."""
    guides, jnp = importlib.import_module("backends.numpyro.guides"), importlib.import_module("jax.numpy")
    sites = (Parameter("mu"), Parameter("b", (2,)), Parameter("a"))
    data = Dataset("linear", sites, {}, {})

    class Guide:
        def _unpack_latent(self, latent: Array) -> dict[str, Array]:
            return {"a": latent[0], "b": latent[1:3], "mu": latent[3]}

    np.testing.assert_array_equal(guides._order(Guide(), data), [3, 1, 2, 0])
    start = guides.start(Guide(), data, jnp.array([1.0, 2.0, 3.0, 4.0]))["auto_loc"]
    np.testing.assert_array_equal(start, [4.0, 2.0, 3.0, 1.0])


def test_a_loss_that_is_not_finite_is_divergence_at_its_step() -> None:
    stepping = importlib.import_module("backends.numpyro.stepping")
    plan, looked = stepping.Plan(steps=1000, lr=0.1, lr_decay=1.0, restarts=1, window=0), list[int]()

    class Stepper:
        """Losses are numbers up to step 500."""

        batches = 0

        def steps(self, state: Any, done: int, count: int, rate: float, args: Any) -> tuple[Any, Array]:
            numbers = np.arange(done + 1, done + count + 1, dtype=float)
            return state, np.where(numbers > 500, np.nan, numbers)

    made = stepping.Search(plan, Stepper(), lambda count: (), lambda step, state, loss: looked.append(step))
    with pytest.raises(Diverged, match="−ELBO is nan at step 501"):
        made.run([lambda: None])
    assert looked[:8] == [1, 2, 3, 4, 5, 6, 8, 10] and looked[-1] < 500


@pytest.mark.slow
def test_a_rate_that_explodes_is_divergence(linear: Callable[..., Dataset], contender: Callable[..., Any]) -> None:
    data = linear()
    with pytest.raises(Diverged, match=r"−ELBO is (inf|nan|[-\de.+]+) at step \d+"):
        contender("numpyro.svi", data, lr=1e200, steps=50).fit(data)


@pytest.mark.parametrize("options", [{"restarts": 0}, {"particles": 0}, {"window": -1}, {"lr_decay": 0.0}])
def test_settings_without_a_meaning_are_refused(
    options: dict[str, Any], linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    with pytest.raises(Unsupported, match=f"{next(iter(options))}="):
        contender("numpyro.svi", linear(), **options)


def test_a_flow_of_one_scalar_is_refused(linear: Callable[..., Dataset], contender: Callable[..., Any]) -> None:
    with pytest.raises(Unsupported, match="autoregressive flow needs two"):
        contender("numpyro.svi", linear(weights=(1.0,), bias=None, sigma=Prior("known", (1.0,))), guide="iaf")

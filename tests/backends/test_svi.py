"""Pyro's SVI on S1: a Gaussian posterior, so the best mean-field Normal is known in closed form."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

from backends._shared.moments import by_draws
from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.types import Array, Dataset, Diverged, Parameter, Place, Prior, Unsupported

pytestmark = pytest.mark.needs("pyro")


@pytest.fixture(scope="module")
def s1() -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(100, 1))
    arrays = {"x": x, "y": 3 * x[:, 0] + 1 + 0.01 * rng.standard_normal(100)}
    normal = Prior("normal", (0.0, 10.0))
    priors = {"weights": normal, "bias": normal, "sigma": Prior("known", (0.1,))}
    return Dataset("linear", (Parameter("weights", (1,)), Parameter("bias")), arrays, priors)


def posterior(data: Dataset) -> tuple[Array, Array]:
    """Mean and precision of the exact posterior of (weights, bias)."""
    design = np.column_stack([data.arrays["x"], np.ones(100)])
    precision = design.T @ design / 0.01 + np.eye(2) / 100
    return np.linalg.solve(precision, design.T @ data.arrays["y"] / 0.01), precision


def moments(fit: Any) -> tuple[Array, Array]:
    return tuple(np.append(fit.moments["weights"][i], fit.moments["bias"][i]) for i in (0, 1))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("options", "correlated"),
    [
        ({}, False),
        pytest.param({"guide": "normal", "steps": 4000}, False, marks=pytest.mark.slow),
        pytest.param({"guide": "multivariate_normal", "steps": 4000}, True, marks=pytest.mark.slow),
        ({"guide": "laplace", "particles": 1}, True),
    ],
)
def test_guides_find_the_best_of_their_family(
    options: dict[str, Any], correlated: bool, s1: Dataset, contender: Callable[..., Any]
) -> None:
    settings = {"particles": 16, "lr_decay": 0.1, "window": 0, "steps": 2000, "jit": True} | options  # all the steps
    fit, _ = contender("pyro.svi", s1, **settings).fit(s1)
    mean, precision = posterior(s1)
    sd = np.sqrt(np.diag(np.linalg.inv(precision)))
    # The mean-field optimum has the exact mean and the conditional sds 1/√precision_ii, half the marginal ones here;
    # the others are exact. A quarter of an sd is what Adam's fixed-rate noise leaves after these steps, and apart.
    found, spread = moments(fit)
    np.testing.assert_allclose(found, mean, atol=0.25 * sd.max())
    np.testing.assert_allclose(spread, sd if correlated else 1 / np.sqrt(np.diag(precision)), rtol=0.25)


@pytest.mark.slow
def test_a_low_rank_guide_is_wider_than_mean_field(s1: Dataset, contender: Callable[..., Any]) -> None:
    fit, _ = contender("pyro.svi", s1, guide="low_rank", particles=16, lr_decay=0.1, steps=3000, jit=True).fit(s1)
    mean, precision = posterior(s1)
    found, spread = moments(fit)
    sd = np.sqrt(np.diag(np.linalg.inv(precision)))
    # It converges slowly to the exact sds, which are twice the mean-field ones, so only the side is asserted.
    np.testing.assert_allclose(found, mean, atol=0.25 * sd.max())
    assert np.all(spread > 1.05 / np.sqrt(np.diag(precision))) and np.all(spread < 1.25 * sd)


def test_moments_are_those_of_q_and_not_of_its_draws(
    linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    data = linear()
    fit, clock = contender("pyro.svi", data, steps=50).fit(data)
    for name, (mean, sd) in fit.moments.items():
        draws = fit.draws[name][0]
        # 4000 independent draws: 5 Monte-Carlo errors of a mean; of an sd 1/√8000 = 1.1 %, log-normal tails twice that.
        assert np.all(np.abs(draws.mean(0) - mean) < 5 * sd / np.sqrt(4000))
        np.testing.assert_allclose(draws.std(0), sd, rtol=0.12)
        assert not np.array_equal(draws.mean(0), mean)
    last = clock.checkpoints[-1].estimate
    assert last.sd is not None and set(last.sd) == {"weights", "bias", "sigma"}


@pytest.mark.parametrize(
    "sigma", [Prior("exponential", (2.0,)), pytest.param(Prior("uniform", (0.0, 10.0)), marks=pytest.mark.slow)]
)
def test_sigma_has_its_jacobian(sigma: Prior, linear: Callable[..., Dataset], contender: Callable[..., Any]) -> None:
    """Without it the guide's sigma would drift by the missing log |dσ/dz|: half a posterior sd at 12 observations."""
    data = linear(n=12, sigma=sigma)
    fit, _ = contender("pyro.svi", data, steps=800, particles=4, lr_decay=0.1, jit=True).fit(data)
    exact = family("linear").reference(data)
    # Mean-field keeps the mean of sigma within 0.3 sd here; a missing Jacobian on E log σ moves it by more than 0.45.
    assert abs(fit.moments["sigma"][0] - exact.mean["sigma"]) < 0.3 * exact.sd["sigma"]


def test_eager_and_traced_elbos_take_the_same_path(s1: Dataset, contender: Callable[..., Any]) -> None:
    eager, _ = contender("pyro.svi", s1, steps=200).fit(s1)
    traced, clock = contender("pyro.svi", s1, steps=200, jit=True).fit(s1)
    np.testing.assert_allclose(moments(traced), moments(eager), rtol=1e-9)  # fused kernels may round differently
    assert set(clock.seconds) == {"transfer", "sample"}


def test_mini_batches_count_as_fractions_of_a_gradient(s1: Dataset, contender: Callable[..., Any]) -> None:
    fit, clock = contender("pyro.svi", s1, steps=100, batch_size=20, particles=2).fit(s1)
    assert fit.stats["gradients"] == pytest.approx(100 * 2 * 20 / 100)
    assert clock.checkpoints[-1].gradients == pytest.approx(clock.checkpoints[-1].step * 0.4)
    with pytest.raises(Unsupported, match="batch_size=101"):
        contender("pyro.svi", s1, batch_size=101)


def test_a_delta_guide_is_the_point_that_pyro_map_finds(s1: Dataset, contender: Callable[..., Any]) -> None:
    found, _ = contender("pyro.svi", s1, guide="delta", lr=0.05, steps=200).fit(s1)
    point, _ = contender("pyro.map", s1, lr=0.05, steps=200).fit(s1)
    assert found.kind == "point"
    for name in s1.names:
        np.testing.assert_array_equal(found.draws[name], point.draws[name])
    with pytest.raises(Unsupported, match="takes lr alone"):
        contender("pyro.svi", s1, guide="delta", particles=2)


def test_a_rate_that_explodes_is_divergence(s1: Dataset, contender: Callable[..., Any]) -> None:
    with pytest.raises(Diverged, match=r"−ELBO is (inf|nan|[-\de.+]+) at step \d+"):
        contender("pyro.svi", s1, lr=1e200, steps=50).fit(s1)


def test_float32_parameters_stay_float32(s1: Dataset, contender: Callable[..., Any]) -> None:
    made = contender("pyro.svi", s1, steps=20, place=Place(dtype="float32"))
    made.fit(s1)
    assert {str(p.dtype) for p in made.program.guide.parameters()} == {"torch.float32"}


@pytest.mark.parametrize("guide", ["manual", "normal", "multivariate_normal", "low_rank", "laplace"])
@pytest.mark.parametrize(
    "sigma", [Prior("exponential", (2.0,)), pytest.param(Prior("uniform", (0.0, 10.0)), marks=pytest.mark.slow)]
)
def test_every_guide_states_the_density_of_its_draws(
    guide: str, sigma: Prior, linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    """E_q[p/q] is the evidence for any q, on any scale: a wrong or missing Jacobian, or site order, would show."""
    data = linear(sigma=sigma)
    fit, _ = contender("pyro.svi", data, guide=guide, steps=400, lr=0.1, lr_decay=0.05, particles=4, jit=True).fit(data)
    fam = family("linear")
    log_q = fit.stats["log_q"]
    assert log_q.shape == (1, 4000)
    z = fam.unconstrain(data, {name: draws[0] for name, draws in fit.draws.items()})
    ratios = fam.log_density(data, z)[0] - log_q[0]
    weights = np.exp(ratios - ratios.max())
    estimate = ratios.max() + np.log(weights.mean())
    error = weights.std() / weights.mean() / np.sqrt(4000)
    assert error < 0.1  # q covers the posterior of four nearly independent scalars
    assert abs(estimate - fam.reference(data).log_evidence) < 5 * error


def effects() -> Dataset:
    """Three non-centred effects; only names and shapes matter here."""
    tau, arrays = Parameter("tau", (), 0.0), {"y": np.zeros(3), "errors": np.ones(3)}
    parameters = (Parameter("mu"), tau, Parameter("theta", (3,)))
    priors = {"mu": Prior("normal", (0.0, 5.0)), "tau": Prior("half_cauchy", (5.0,))}
    sites = (Parameter("mu"), tau, Parameter("eta", (3,)))
    return Dataset("eight_schools", parameters, arrays, priors, coordinates=sites)


def test_moments_of_an_effect_that_depends_on_several_coordinates() -> None:
    """theta = mu + tau·eta: the mean over nodes of one z with the others at theirs would lose Var tau."""
    torch = importlib.import_module("torch")
    moments_of = importlib.import_module("backends.pyro.moments")
    loc, scale = np.array([1.0, 0.5, -1.0, 0.0, 2.0]), np.array([0.7, 0.4, 1.0, 0.3, 0.5])
    q = torch.distributions.Normal(torch.tensor(loc), torch.tensor(scale))
    q = torch.distributions.Independent(q, 1)
    before = torch.random.get_rng_state()
    mean, sd = moments_of.of(q, effects(), 100_000)
    assert torch.equal(before, torch.random.get_rng_state())  # checkpoints must not change the way of a fit
    first, second = np.exp(0.5 + 0.08), np.exp(1.0 + 0.32)  # E tau, E tau² of a log-normal
    exact = np.sqrt(0.7**2 + second * (scale[2:] ** 2 + loc[2:] ** 2) - (first * loc[2:]) ** 2)
    # 1e5 draws: 5 errors of a mean are 0.016 sd; an sd is known to 0.3 %, tails as heavy as these to three times that.
    np.testing.assert_allclose(mean["theta"], 1.0 + first * loc[2:], atol=0.016 * exact.max())
    np.testing.assert_allclose(sd["theta"], exact, rtol=0.02)
    # what is sampled itself has no noise at all
    np.testing.assert_allclose([mean["mu"], sd["mu"], mean["tau"]], [1.0, 0.7, first], rtol=1e-12)
    np.testing.assert_allclose(sd["tau"], np.sqrt(second - first**2), rtol=1e-9)


def test_moments_merge_blocks_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    z = np.random.default_rng(0).multivariate_normal([3.0, 0.2, 1.0, -1.0, 0.0], np.eye(5) + 0.5, 1500)
    monkeypatch.setattr("backends._shared.moments.BLOCK", 700)
    left = iter(z)
    mean, sd = by_draws(lambda size: np.array([*islice(left, size)]), effects(), 1500)
    theta = z[:, :1] + np.exp(z[:, 1:2]) * z[:, 2:]
    np.testing.assert_allclose(mean["theta"], theta.mean(0), rtol=1e-10)  # rounding
    np.testing.assert_allclose(sd["theta"], theta.std(0), rtol=1e-10)


def test_a_point_has_no_spread_whatever_its_coordinates() -> None:
    torch, dist = importlib.import_module("torch"), importlib.import_module("pyro.distributions")
    moments_of = importlib.import_module("backends.pyro.moments")
    q = dist.Delta(torch.tensor([1.0, np.log(2.0), 0.5, 0.0, -1.0]), event_dim=1)
    mean, sd = moments_of.of(q, effects(), 100)
    np.testing.assert_allclose(mean["theta"], [2.0, 1.0, -1.0], rtol=1e-6)  # float32
    assert not any(value.any() for value in sd.values())


def test_hierarchies_are_scored_on_the_effects_of_q(contender: Callable[..., Any]) -> None:
    data = effects()
    data = replace(data, arrays={"y": np.array([2.0, -1.0, 4.0]), "errors": np.array([1.0, 1.0, 2.0])})
    fit, clock = contender("pyro.svi", data, guide="normal", steps=100).fit(data)
    assert set(fit.moments) == {"mu", "tau", "theta"}
    for name, (mean, sd) in fit.moments.items():
        drawn = fit.draws[name][0]
        # 4000 draws of a product with a log-normal: 5 errors of its mean, and an sd known to about 10 %
        assert np.all(np.abs(drawn.mean(0) - mean) < 5 * sd / np.sqrt(4000))
        np.testing.assert_allclose(drawn.std(0), sd, rtol=0.25)
    assert set(clock.checkpoints[0].estimate.mean) == {"mu", "tau", "theta"}


@pytest.mark.slow
def test_the_steps_of_the_quick_budget_reach_the_posterior(contender: Callable[..., Any]) -> None:
    """At its own settings: a rate that falls over all of 1000 steps left means a thousand posterior sds away here."""
    data = dataset(scenario("s0-uniform"), seed=0, rep=0)
    fit, _ = contender("pyro.svi", data, steps=1000).fit(data)
    exact = family(data.family).reference(data)
    for name in data.names:
        # b² of 0.01 is a tenth of an sd; half of one leaves room for the noise of the last steps, and for q's family
        assert np.all(np.abs(fit.moments[name][0] - exact.mean[name]) < 0.5 * exact.sd[name])

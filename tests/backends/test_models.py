"""The log densities that frameworks make of their models, against the family's own in float64 NumPy."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats

from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.measure.runtime import runtime_of
from bench.types import Array, Dataset, Place, Prior
from tests.frameworks import MODELLED

SIGMAS = {
    "exponential": Prior("exponential", (2.0,)),
    "uniform": Prior("uniform", (0.0, 10.0)),
    "flat": Prior("flat"),
    "half_normal": Prior("half_normal", (2.0,)),
    "half_cauchy": Prior("half_cauchy", (1.0,)),
    "log_normal": Prior("log_normal", (0.3, 0.7)),
    "known": Prior("known", (0.5,)),
}
LOCATIONS = {
    "normal": Prior("normal", (0.5, 3.0)),
    "flat": Prior("flat"),
    "uniform": Prior("uniform", (-20.0, 30.0)),
    "student_t": Prior("student_t", (3.0, 0.5, 2.0)),
    "cauchy": Prior("cauchy", (0.5, 2.0)),
}
CASES = [("normal", sigma) for sigma in SIGMAS] + [(place, "exponential") for place in LOCATIONS if place != "normal"]


def log_density(framework: str, data: Dataset, z: Array, place: Place) -> tuple[Array, Array]:
    runtime_of(framework).start(place)
    value, gradient = importlib.import_module(f"backends.{framework}.models").log_density(data, z, place)
    return value, gradient


@pytest.mark.parametrize("framework", MODELLED)
@pytest.mark.parametrize(("location", "sigma"), CASES)
def test_density_and_gradient_match_the_family(
    framework: str, location: str, sigma: str, linear: Callable[..., Dataset]
) -> None:
    data = linear(location=LOCATIONS[location], sigma=SIGMAS[sigma])
    assert_matches(framework, data)


@pytest.mark.parametrize("framework", MODELLED)
def test_a_model_without_bias_matches_the_family(framework: str, linear: Callable[..., Dataset]) -> None:
    assert_matches(framework, linear(bias=None, weights=(1.0,)))


@pytest.mark.parametrize("framework", MODELLED)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("location", ["normal", "student_t", "cauchy"])
def test_logistic_matches_the_family(
    framework: str, location: str, bias: bool, logistic: Callable[..., Dataset]
) -> None:
    assert_matches(framework, logistic(location=LOCATIONS[location], bias=bias))


@pytest.mark.parametrize("framework", MODELLED)
@pytest.mark.parametrize("link", ["", "probit"])
def test_logistic_is_finite_where_every_row_is_hopelessly_wrong(
    framework: str, link: str, logistic: Callable[..., Dataset]
) -> None:
    data = replace(logistic(), link=link)
    z = np.array([[-800.0, 900.0, 0.0], [700.0, 700.0, -800.0]])
    value, gradient = log_density(framework, data, z, Place())
    expected, slope = family("logistic").log_density(data, z)
    # exp(800) is no float64: a form that takes it gives inf; here each row costs its predictor, up to 1e3 nats, or half
    # its square, whose slope by exp(−u²/2 − log Φ) would have lost half a dozen digits.
    assert np.ptp(value) == pytest.approx(np.ptp(expected), rel=1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9)


@pytest.mark.parametrize("framework", MODELLED)
@pytest.mark.parametrize("sigma", ["known", "exponential", "uniform"])
def test_robust_matches_the_family(framework: str, sigma: str, robust: Callable[..., Dataset]) -> None:
    """Every prior is seen above: here a number, a support above 0, and an interval."""
    assert_matches(framework, robust(sigma=SIGMAS[sigma]))


@pytest.mark.parametrize("framework", MODELLED)
@pytest.mark.parametrize(
    ("df", "sigma"), [("exponential", "known"), ("uniform", "exponential"), ("log_normal", "flat")]
)
def test_robust_with_unknown_df_matches_the_family(
    framework: str, df: str, sigma: str, robust: Callable[..., Dataset]
) -> None:
    location = LOCATIONS["normal" if df == "exponential" else "student_t"]
    assert_matches(framework, robust(df=SIGMAS[df], sigma=SIGMAS[sigma], bias=df != "uniform", location=location))


LAWS: dict[str, dict[str, object]] = {
    "poisson-exposure": {},
    "binomial": {"offset": {"normal": [0, 1]}},
    "binomial[probit]": {"link": "probit"},
    "logistic": {"link": "probit", "offset": {"normal": [0, 1]}},
    "negative-binomial": {},
    "negative-binomial[known]": {"priors.phi": {"known": 0.7}},
    "gamma": {"priors.shape": {"uniform": [0.5, 9]}, "offset": {"normal": [0, 1]}},
    "gamma[known]": {"priors.shape": {"known": 0.7}},
}
"""Scenarios changed so that every law is seen with and without an offset, and with its scale known and not."""


def law_data(case: str) -> Dataset:
    return dataset(scenario(case.partition("[")[0], {"n_obs": 40, **LAWS[case]}), seed=0, rep=0)


@pytest.mark.parametrize("framework", MODELLED)
@pytest.mark.parametrize("case", LAWS)
def test_observation_laws_match_the_family(framework: str, case: str) -> None:
    assert_matches(framework, law_data(case))


@pytest.mark.parametrize("framework", MODELLED)
@pytest.mark.parametrize("case", ["poisson-exposure", "negative-binomial", "gamma"])
def test_no_log_density_is_nan_where_the_inverse_link_overflows(framework: str, case: str) -> None:
    data = law_data(case)
    far = np.array([1.0, -1.0, 3.0, -3.0])[:, None] * np.linspace(300.0, 900.0, data.dim)
    far[:, 4:] = 0.0  # three weights, a bias, and the law's scale, which stays 1
    # exp(89) is no float32 and exp(710) no float64; predictors here are hundreds and thousands.
    for place in (Place(), Place(dtype="float32")):
        value = log_density(framework, data, far, place)[0]
        assert not np.isnan(value).any() and np.all(value < np.inf)


def assert_matches(framework: str, data: Dataset) -> None:
    z = np.random.default_rng(1).uniform(-2, 2, (6, data.dim))
    value, gradient = log_density(framework, data, z, Place())
    expected, slope = family(data.family).log_density(data, z)
    # Constants may differ, so values are compared after subtracting their mean; both sides are sums of 50 terms of up
    # to 1e3, each rounded at 1e-16 relative.
    assert value.shape == (6,) and gradient.shape == z.shape
    scale = np.ptp(expected)
    np.testing.assert_allclose(value - value.mean(), expected - expected.mean(), rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-10 * np.abs(slope).max())


@pytest.mark.parametrize("framework", MODELLED)
def test_two_groups_match_a_density_written_with_scipy(framework: str, two_groups: Callable[[], Dataset]) -> None:
    data = two_groups()

    def expected(z: Array) -> float:
        mu, share = z[:2], special.expit(z[2:])
        sigma = 100 * share
        total = stats.norm.logpdf(mu).sum() + np.log(share * (1 - share)).sum()  # the Jacobian, up to a constant
        return float(total + sum(stats.norm.logpdf(data.arrays[f"y{i + 1}"], mu[i], sigma[i]).sum() for i in (0, 1)))

    z = np.column_stack(
        [np.random.default_rng(1).uniform(-1, 1, (5, 2)), np.random.default_rng(2).uniform(-5, -3, (5, 2))]
    )
    value, gradient = log_density(framework, data, z, Place())
    direct = np.array([expected(at) for at in z])
    np.testing.assert_allclose(value - value.mean(), direct - direct.mean(), rtol=1e-11, atol=1e-10)
    for at, slope in zip(z, gradient, strict=True):
        # Central differences err by h² times the third derivative and 1e-16·value/h: 1e-7 of gradients of up to 1e3.
        numeric = [(expected(at + h) - expected(at - h)) / 2e-5 for h in 1e-5 * np.eye(4)]
        np.testing.assert_allclose(slope, numeric, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("framework", MODELLED)
def test_float32_density_is_right_to_its_precision(framework: str, linear: Callable[..., Dataset]) -> None:
    data = linear()
    z = np.random.default_rng(1).uniform(-1, 1, (6, data.dim))
    value, gradient = log_density(framework, data, z, Place(dtype="float32"))
    expected, slope = family("linear").log_density(data, z)
    # float32 has 6e-8 relative; 50 terms and a difference of squares leave 1e-5.
    assert not np.array_equal(gradient, log_density(framework, data, z, Place())[1])
    np.testing.assert_allclose(value - value.mean(), expected - expected.mean(), atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-5 * np.abs(slope).max())


@pytest.mark.needs("torch")
def test_torch_densities_keep_leading_dimensions(linear: Callable[..., Dataset]) -> None:
    data = linear()
    z = np.random.default_rng(1).uniform(-1, 1, (2, 3, data.dim))
    value, gradient = log_density("torch", data, z, Place())
    assert value.shape == (2, 3) and gradient.shape == (2, 3, data.dim)
    np.testing.assert_allclose(value[1, 2], log_density("torch", data, z[1, 2], Place())[0], rtol=1e-13)


@pytest.mark.needs("torch")
def test_torch_priors_are_minus_infinity_outside_with_finite_gradients() -> None:
    torch = importlib.import_module("torch")
    log_prob = importlib.import_module("backends.torch.priors").log_prob
    for name in ("uniform", "exponential", "half_normal", "half_cauchy", "log_normal"):
        x = torch.tensor([-0.5, 0.5], dtype=torch.float64, requires_grad=True)
        value = log_prob(SIGMAS[name], x)
        (value + x).sum().backward()  # the uniform density itself is constant
        assert value[0] == -np.inf and torch.isfinite(value[1]) and torch.isfinite(x.grad).all()

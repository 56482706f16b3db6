"""Priors against scipy.stats, transforms against central differences."""

import numpy as np
import pytest
from scipy import stats

from bench.types import Parameter, Prior
from scenarios.families.common import priors, transforms

CASES = [
    (Prior("normal", (0.5, 2.0)), stats.norm(0.5, 2.0)),
    (Prior("uniform", (-1.0, 3.0)), stats.uniform(-1.0, 4.0)),
    (Prior("student_t", (3.5, 0.5, 2.0)), stats.t(3.5, 0.5, 2.0)),
    (Prior("cauchy", (0.5, 2.0)), stats.cauchy(0.5, 2.0)),
    (Prior("exponential", (2.5,)), stats.expon(scale=1 / 2.5)),
    (Prior("half_normal", (1.7,)), stats.halfnorm(scale=1.7)),
    (Prior("half_cauchy", (1.7,)), stats.halfcauchy(scale=1.7)),
    (Prior("log_normal", (0.3, 0.8)), stats.lognorm(0.8, scale=np.exp(0.3))),
]
IDS = [prior.name for prior, _ in CASES]


@pytest.mark.parametrize(("prior", "truth"), CASES, ids=IDS)
def test_density_derivative_and_curvature_match_scipy(prior, truth):
    x = truth.ppf(np.linspace(0.02, 0.98, 25)).reshape(5, 5)
    # Both sides evaluate the same closed form in float64.
    np.testing.assert_allclose(priors.log_density(prior, x), truth.logpdf(x), rtol=1e-13, atol=1e-13)
    h = 1e-5
    numeric = (truth.logpdf(x + h) - truth.logpdf(x - h)) / (2 * h)
    # Central differences: h² truncation times a third derivative of up to 1e4 near 0, and eps/h of rounding.
    np.testing.assert_allclose(priors.derivative(prior, x), numeric, rtol=1e-6, atol=1e-8)
    numeric = (priors.derivative(prior, x + h) - priors.derivative(prior, x - h)) / (2 * h)
    np.testing.assert_allclose(priors.curvature(prior, x), numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("prior", "truth"), CASES, ids=IDS)
def test_support_and_draws_match_scipy(prior, truth, rng):
    lower, upper = priors.support(prior)
    assert (lower, upper) == pytest.approx(truth.support())
    outside = np.array([v for v in (lower - 1.0, upper + 1.0) if np.isfinite(v)])
    assert np.all(priors.log_density(prior, outside) == -np.inf)
    draws = priors.draw(prior, (4000,), rng)
    # Kolmogorov-Smirnov at level 1e-6 with a fixed seed: fails for a wrong distribution, not by chance.
    assert stats.kstest(draws, truth.cdf).pvalue > 1e-6
    variance = np.inf if "cauchy" in prior.name else truth.var()
    assert priors.variance(prior) == pytest.approx(variance)


def test_improper_and_known():
    assert np.all(priors.log_density(Prior("flat"), np.array([-1e9, 0.0, 3.0])) == 0.0)
    assert np.all(priors.draw(Prior("known", (0.1,)), (3,), np.random.default_rng(0)) == 0.1)
    with pytest.raises(ValueError, match="improper"):
        priors.draw(Prior("flat"), (3,), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("prior", "phrase"),
    [
        (Prior("normal", (0.0, -1.0)), "scale must be greater than 0"),
        (Prior("exponential", (0.0,)), "rate must be greater than 0"),
        (Prior("student_t", (0.0, 0.0, 1.0)), "df must be greater than 0"),
        (Prior("uniform", (2.0, 2.0)), "low must be smaller"),
        (Prior("normal", (np.nan, 1.0)), "finite"),
        (Prior("normal", (0.0, 1.0)), None),
    ],
)
def test_arguments_out_of_range_are_named(prior, phrase):
    wrong = priors.check_args(prior)
    assert wrong is None if phrase is None else phrase in wrong


@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), (1.0, np.inf), (-np.inf, 2.0), (-1.0, 3.0)])
def test_transforms_invert_and_their_jacobian_is_the_slope(bounds):
    z, h = np.linspace(-6.0, 6.0, 41), 1e-5
    x = transforms.to_natural(z, *bounds)
    assert np.all((x > bounds[0]) & (x < bounds[1]))
    # Near a bound x keeps about eps of its own size, so z keeps eps·e⁶.
    np.testing.assert_allclose(transforms.to_unconstrained(x, *bounds), z, atol=1e-12)
    value, slope = transforms.log_jacobian(z, *bounds)
    numeric = np.abs(transforms.to_natural(z + h, *bounds) - transforms.to_natural(z - h, *bounds)) / (2 * h)
    # Central differences: eps·|x|/h over a slope as small as e⁻⁶.
    np.testing.assert_allclose(value, np.log(numeric), atol=1e-7)
    numeric = (transforms.log_jacobian(z + h, *bounds)[0] - transforms.log_jacobian(z - h, *bounds)[0]) / (2 * h)
    np.testing.assert_allclose(slope, numeric, atol=1e-9)


def test_flatten_keeps_parameter_order():
    parameters = [Parameter("weights", (3,)), Parameter("bias"), Parameter("sigma", (), 0.0)]
    vector = np.arange(20.0).reshape(2, 2, 5)
    pieces = transforms.unflatten(parameters, vector)
    assert pieces["weights"].shape == (2, 2, 3)
    assert pieces["bias"].shape == (2, 2)
    assert np.array_equal(pieces["sigma"], vector[..., 4])
    assert np.array_equal(transforms.flatten(parameters, pieces), vector)

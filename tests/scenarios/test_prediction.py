"""Predictions of the linear family at new inputs: exact posterior against closed forms and dense quadrature."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.catalog.scenarios import scenario
from bench.data import dataset
from bench.errors import ScenarioError
from bench.types import Array, Dataset, Prior
from scenarios.families.posteriors.conjugate import ConjugatePosterior, posterior
from scenarios.families.regression.linear import FAMILY as linear

LEVELS = np.array([0.025, 0.5, 0.975])
WIDE = Prior("normal", (0.3, 2.0))


def with_new(data: Dataset, new: Array) -> Dataset:
    return Dataset(data.family, data.parameters, data.arrays, data.priors, predict={"x": new})


def rows(n: int, width: int) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(8)
    x = rng.standard_normal((n, width))
    return x, x @ rng.standard_normal(width) + 0.5 + rng.standard_normal(n), 2.0 * rng.standard_normal((3, width))


def columns(x: Array) -> Array:
    return np.column_stack([x, np.ones(len(x))])


def assert_summary(found: ConjugatePosterior, mean: Array, sd: Array, low: Array, high: Array) -> None:
    exact = found.derived()["prediction"]
    for value, expected in zip(exact, (mean, sd, low, high), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-10)  # evidence of the rule: 1e-13 of each sum


@pytest.mark.parametrize(("n", "width"), [(20, 2), (3, 5)], ids=["determined", "more-weights-than-rows"])
def test_known_sigma_gives_the_textbook_normal(n: int, width: int, data_of) -> None:
    x, y, new = rows(n, width)
    found = posterior(with_new(data_of(x, y, {"weights": WIDE, "bias": WIDE, "sigma": Prior("known", (0.7,))}), new))
    a, at = columns(x), columns(new)
    covariance = np.linalg.inv(a.T @ a / 0.49 + np.eye(width + 1) / 4.0)
    mean = at @ covariance @ (a.T @ y / 0.49 + 0.3 / 4.0)
    variance = np.einsum("mp,pq,mq->m", at, covariance, at)
    z = stats.norm.ppf(0.975)
    sd = np.sqrt(variance)
    assert_summary(found, mean, sd, mean - z * sd, mean + z * sd)
    noisy = np.sqrt(variance + 0.49)
    np.testing.assert_allclose(found.predictive(LEVELS)["prediction"], stats.norm(mean, noisy).ppf(LEVELS[:, None]))


def test_flat_priors_give_the_textbook_student_t(data_of) -> None:
    x, y, new = rows(15, 2)
    found = posterior(with_new(data_of(x, y, dict.fromkeys(("weights", "bias", "sigma"), Prior("flat"))), new))
    a, at = columns(x), columns(new)
    centre, (rss,) = np.linalg.lstsq(a, y)[:2]
    # p(σ) ∝ 1 leaves σ the exponent −(n − p), one degree of freedom fewer than p(σ) ∝ 1/σ
    df = 15 - 3 - 1
    leverage = np.einsum("mp,pq,mq->m", at, np.linalg.inv(a.T @ a), at)
    law = stats.t(df, at @ centre, np.sqrt(rss / df * leverage))
    assert_summary(found, law.mean(), law.std(), law.ppf(0.025), law.ppf(0.975))
    new_row = stats.t(df, at @ centre, np.sqrt(rss / df * (1.0 + leverage)))
    np.testing.assert_allclose(found.predictive(LEVELS)["prediction"], new_row.ppf(LEVELS[:, None]), rtol=1e-9)


def test_an_exponential_sigma_matches_dense_quadrature(data_of) -> None:
    x, y, new = rows(12, 2)
    priors = {"weights": WIDE, "bias": WIDE, "sigma": Prior("exponential", (2.0,))}
    found = posterior(with_new(data_of(x, y, priors), new))
    a, at = columns(x), columns(new)
    log_sigma = np.linspace(np.log(0.05), np.log(30.0), 601)
    weights, means, variances = [], [], []
    for sigma in np.exp(log_sigma):
        marginal = 4.0 * a @ a.T + sigma**2 * np.eye(12)
        log = stats.multivariate_normal(a @ np.full(3, 0.3), marginal).logpdf(y) - 2.0 * sigma + np.log(sigma)
        covariance = np.linalg.inv(a.T @ a / sigma**2 + np.eye(3) / 4.0)
        weights.append(log)
        means.append(at @ covariance @ (a.T @ y / sigma**2 + 0.3 / 4.0))
        variances.append(np.einsum("mp,pq,mq->m", at, covariance, at))
    mass = np.exp(np.array(weights) - max(weights))
    mass, mean_of, variance_of = mass / mass.sum(), np.array(means), np.array(variances)
    mean = mass @ mean_of
    exact = found.derived()["prediction"]
    np.testing.assert_allclose(exact.mean, mean, rtol=1e-9)  # both rules converge exponentially
    np.testing.assert_allclose(exact.sd, np.sqrt(mass @ (variance_of + (mean_of - mean) ** 2)), rtol=1e-9)
    for added, ends in ((0.0, (exact.q025, exact.q975)), (1.0, found.predictive(LEVELS[[0, 2]])["prediction"])):
        sds = np.sqrt(variance_of + added * np.exp(2 * log_sigma)[:, None])
        for end, level in zip(ends, LEVELS[[0, 2]], strict=True):
            np.testing.assert_allclose(mass @ stats.norm.cdf((end - mean_of) / sds), level, atol=1e-10)


def test_draws_give_the_prediction_at_the_new_inputs() -> None:
    data = dataset(scenario("s3-linear"), seed=1, rep=0)
    assert data.predict["x"].tolist() == [[0.5, 0.5]] and data.observed().predict == {} == data.skeleton().predict
    found = linear.reference(data)
    draws = found.draw(20_000, np.random.default_rng(1))
    values = linear.derived(data, draws)["prediction"]
    assert values.shape == (20_000, 1)
    np.testing.assert_allclose(values[:, 0], draws["weights"] @ [0.5, 0.5] + draws["bias"], rtol=1e-12)
    assert isinstance(found, ConjugatePosterior)
    exact = found.derived()["prediction"]
    assert exact.sd is not None
    # five standard errors of a mean of 20 000 independent draws
    assert abs(values.mean() - exact.mean[0]) < 5 * exact.sd[0] / np.sqrt(20_000)
    assert linear.derived(dataset(scenario("s1-known-noise"), seed=1, rep=0), draws) == {}


def test_observation_cdf_is_scipys() -> None:
    data = dataset(scenario("s3-linear"), seed=1, rep=0)
    draws = linear.reference(data).draw(4, np.random.default_rng(1))
    found = linear.observation_cdf(data, draws, data.holdout)
    mean = draws["weights"] @ data.holdout["x"].T + draws["bias"][:, None]
    expected = stats.norm(mean, draws["sigma"][:, None]).cdf(data.holdout["y"])
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_new_inputs_are_part_of_the_digest_and_absent_ones_are_not() -> None:
    one, other = (dataset(scenario("s3-linear", {"predict.x": [[at, 0.5]]}), seed=1, rep=0) for at in (0.5, 0.6))
    spec = scenario("s3-linear", {"predict": {}})
    without = dataset(spec, seed=1, rep=0)
    assert without.predict == {} and len({one.digest, other.digest, without.digest}) == 3


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"predict.x": [[0.5]]}, ["predict.x[0]", "2 numbers"]),
        ({"predict.x": [[0.5, 0.5], [0.1, "a"]]}, ["predict.x[1][1]", "finite number"]),
        ({"predict.x": []}, ["predict.x", "rows of 2"]),
        ({"predict.z": [[0.5, 0.5]]}, ["predict.z", "x"]),
    ],
)
def test_new_inputs_that_cannot_be_are_refused(overrides: dict[str, object], words: list[str]) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario("s3-linear", overrides)
    assert all(word in str(caught.value) for word in words)

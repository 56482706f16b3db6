"""Predictions on hold-out rows, against closed forms, brute force and simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from scipy import special, stats

from bench.catalog.scenarios import scenario
from bench.data import dataset
from bench.protocols import Family
from bench.score import predictive
from bench.score.predictive import continuous_crps, covered, discrete_crps, predictive_rows
from bench.score.problem import Problem
from bench.types import Array, Arrays, Dataset, Kind, Parameter
from scenarios.families.regression.linear import FAMILY as linear
from scenarios.families.regression.linear import Linear
from tests.score.normal import TRUTH, as_draws, make_problem, make_scored, of_posterior, table


def grid(n: int) -> Array:
    """A normal sample without noise."""
    return np.asarray(stats.norm.ppf((np.arange(n) + 0.5) / n))


def test_pointwise_predictive_density_of_a_known_mixture() -> None:
    y = np.array([-1.0, 0.2, 3.0])
    problem = make_problem(holdout={"x": np.zeros((3, 2)), "y": y})
    bias = 0.5 + 0.8 * grid(2000)
    scalars = np.stack([*(np.full_like(bias, w) for w in TRUTH["weights"]), bias, np.full_like(bias, 0.6)], axis=-1)
    found = table(list(predictive_rows(make_scored(problem, "exact", as_draws(scalars[None])))))
    # ∫ N(y; b, 0.6) N(b; 0.5, 0.8) db = N(y; 0.5, 1)
    truth = stats.norm.logpdf(y, 0.5, 1.0)
    assert found["elpd"][""] == pytest.approx(truth.sum(), abs=0.005)  # a grid of 2000 misses the outermost tails
    assert found["elpd_se"][""] == pytest.approx(np.sqrt(3 * truth.var()), abs=0.005)
    assert found["predictive_mae"][""] == pytest.approx(np.abs(y - 0.5).mean(), rel=1e-9)  # a symmetric grid
    assert found["predictive_rmse"][""] == pytest.approx(np.sqrt(np.mean((y - 0.5) ** 2)), rel=1e-9)


def test_predictions_average_over_draws_and_outside_rows_are_apart() -> None:
    rng = np.random.default_rng(1)
    holdout = {"x": rng.standard_normal((5, 2)), "y": rng.standard_normal(5)}
    outside = {"x_outside": 10 + rng.standard_normal((4, 2)), "y_outside": rng.standard_normal(4)}
    problem = make_problem(holdout=holdout | outside)
    z = rng.standard_normal((2, 50, 4))
    scored = make_scored(problem, "exact", of_posterior(problem, 0.1 * z))
    found = table(list(predictive_rows(scored)))
    mean = scored.draws.mean(axis=(0, 1))
    for suffix in ("", "_outside"):
        error = problem.data.holdout["x" + suffix] @ mean[:2] + mean[2] - problem.data.holdout["y" + suffix]
        assert found["predictive_mae" + suffix][""] == pytest.approx(np.abs(error).mean(), rel=1e-9)  # rounding
        assert found["predictive_rmse" + suffix][""] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-9)


def test_r2_is_the_share_of_the_variance() -> None:
    rng = np.random.default_rng(2)
    holdout = {"x": rng.standard_normal((40, 2)), "y": rng.standard_normal(40)}
    problem = make_problem(holdout=holdout)
    point = as_draws(np.array([*TRUTH["weights"], TRUTH["bias"], TRUTH["sigma"]])[None, None])
    found = table(list(predictive_rows(make_scored(problem, "point", point))))
    residual = holdout["y"] - holdout["x"] @ TRUTH["weights"] - TRUTH["bias"]
    total = np.sum((holdout["y"] - holdout["y"].mean()) ** 2)
    assert found["predictive_r2"][""] == pytest.approx(1 - residual @ residual / total, rel=1e-12)
    assert not {"predictive_crps", "predictive_coverage_90", "elpd"} & set(found)  # a point predicts no distribution
    level = make_problem(holdout={"x": holdout["x"], "y": np.ones(40)})
    assert "predictive_r2" not in table(list(predictive_rows(make_scored(level, "point", point))))


@pytest.mark.filterwarnings("error")
def test_an_impossible_observation_costs_the_density_everything_and_no_warning() -> None:
    y = np.array([1.0, 0.0, 1.0])
    assert coin(np.array([0.5, 0.25]), y)["elpd"][""] == pytest.approx(np.log(0.375**2 * 0.625), rel=1e-12)
    assert coin(np.array([0.0, 0.5]), y)["elpd"][""] == pytest.approx(np.log(0.25**2 * 0.75), rel=1e-12)
    never = coin(np.zeros(2), y)
    assert never["elpd"][""] == -np.inf and np.isnan(never["elpd_mcse"][""])


def test_densities_that_exp_cannot_hold_are_averaged_all_the_same() -> None:
    problem = make_problem(holdout={"x": np.zeros((3, 2)), "y": np.array([0.0, 40.0, 1e4])})
    z = 0.1 * np.random.default_rng(0).standard_normal((1, 50, 4))
    scored = make_scored(problem, "exact", of_posterior(problem, z))
    log_p = problem.family.log_likelihood(problem.data, scored.fit.draws, problem.data.holdout)
    expected = (special.logsumexp(log_p, axis=(0, 1)) - np.log(50)).sum()
    assert log_p[..., 2].max() < -745.0  # where exp is 0
    assert table(list(predictive_rows(scored)))["elpd"][""] == pytest.approx(expected, rel=1e-12)


def test_a_family_below_ours_is_asked_for_its_own_distribution_function() -> None:
    """What `Regression` has prepared for many y is not what a class below it says of one."""
    data = dataset(scenario("s0-uniform"), seed=0, rep=0)
    draws = {p.name: np.full((1, 4, *p.shape), 0.5) for p in data.parameters}

    class Quarter(Linear):
        def observation_cdf(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
            return np.full((1, 4, len(arrays["y"])), 0.25)

    y = np.asarray(data.holdout["y"])
    for of, expected in (
        (Quarter("quarter", linear.law), 0.25),
        (linear, linear.observation_cdf(data, draws, data.holdout)),
    ):
        cdf = predictive.mixture_cdf(Problem(data, of, None), draws, data.holdout)
        np.testing.assert_allclose(cdf(y), np.broadcast_to(expected, (1, 4, len(y))).mean(axis=(0, 1)), rtol=1e-12)


def normal_crps(y: Array) -> Array:
    """Of N(0, 1), Gneiting & Raftery 2007, eq. 21."""
    return np.asarray(y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / np.sqrt(np.pi))


def crps_of(cdf: Callable[[Any], Any], y: Array) -> Array:
    """Of one distribution."""
    return continuous_crps(lambda t: cdf(t)[None], y, cdf).score


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e5])
def test_crps_of_a_normal(scale: float) -> None:
    y = scale * np.array([0.0, 0.3, -1.7, 4.0, -12.0])
    found = crps_of(lambda t: stats.norm.cdf(t / scale), y)
    # cut where the tail is 1e-4; 32 nodes on either side, one of which spans 16 sd where y is 12 sd out
    relative = np.abs(found / (scale * normal_crps(y / scale)) - 1.0)
    assert np.all(relative < [1e-6, 1e-6, 1e-6, 1e-6, 2e-4]), relative


def test_crps_of_a_heavy_tail() -> None:
    law, y = stats.t(3), np.array([0.0, 2.0, -5.0])
    fine = np.linspace(-2000.0, 2000.0, 4_000_001)
    below = law.cdf(fine)
    brute = [np.trapezoid((below - (fine >= t)) ** 2, fine) for t in y]
    # 32 nodes over the 22 scales that hold all but 1e-4; the brute sum is off by half a step, 5e-4
    np.testing.assert_allclose(crps_of(law.cdf, y), brute, rtol=2e-3)


def test_crps_of_a_mixture_over_draws_is_that_of_its_sample() -> None:
    rng = np.random.default_rng(3)
    bias, sigma = rng.normal(0.5, 0.8, 50), rng.uniform(0.5, 1.0, 50)
    y = np.array([0.1, 1.0, 4.0])

    def each(t: Array) -> Array:
        return np.asarray(stats.norm.cdf(t, bias[:, None], sigma[:, None]))

    score = continuous_crps(each, y, lambda t: each(t).mean(axis=0)).score
    drawn = np.sort((bias + sigma * rng.standard_normal((2000, 50))).ravel())
    n = len(drawn)
    spread = (2.0 * np.arange(1, n + 1) - n - 1.0) @ drawn / n**2
    brute = [np.abs(drawn - t).mean() - spread for t in y]
    assert score == pytest.approx(brute, abs=0.01)  # 100 000 draws of sd 1: their mean is known to 0.003


def test_what_few_draws_add_to_a_crps_is_taken_off() -> None:
    few, reps = 5, 4000
    bias, y = 0.8 * np.random.default_rng(6).standard_normal((few, reps)), np.full(reps, 0.7)
    mixed = continuous_crps(lambda t: stats.norm.cdf(t, bias, 0.6), y, stats.norm.cdf)
    corrected, truth = mixed.score - mixed.variance / few, normal_crps(y[:1])[0]
    standard_error = corrected.std() / np.sqrt(reps)
    assert abs(corrected.mean() - truth) < 4.0 * standard_error
    assert mixed.score.mean() - truth > 10.0 * standard_error  # what would be stated else


def autocorrelated(rng: np.random.Generator, shape: tuple[int, int], rho: float) -> Array:
    """AR(1) chains of mean 0 and variance 1, stationary from the start: (chain, draw)."""
    z = rng.standard_normal(shape)
    for t in range(1, shape[1]):
        z[:, t] = rho * z[:, t - 1] + np.sqrt(1 - rho**2) * z[:, t]
    return z


@pytest.mark.parametrize(("kind", "shape", "rho"), [("exact", (1, 60), 0.0), ("mcmc", (4, 100), 0.7)])
def test_scores_are_off_a_normal_predictive_by_their_stated_error(kind: Kind, shape: Any, rho: float) -> None:
    y = np.array([-1.0, 0.2, 1.5])
    problem, rng = make_problem(holdout={"x": np.zeros((3, 2)), "y": y}), np.random.default_rng(4)
    # bias ~ N(0.5, 0.8²) and sigma 0.6 predict N(0.5, 1)
    truth = {"elpd": stats.norm.logpdf(y, 0.5).sum(), "predictive_crps": normal_crps(y - 0.5).mean()}
    reps, errors, stated = 80, dict[str, list[float]](), dict[str, list[float]]()
    for _ in range(reps):
        bias = 0.5 + 0.8 * autocorrelated(rng, shape, rho)
        others = [np.full(shape, v) for v in (*TRUTH["weights"], 0.6)]
        draws = as_draws(np.stack([*others[:2], bias, others[2]], axis=-1))
        values = table(list(predictive_rows(make_scored(problem, kind, draws))))
        for name, value in truth.items():
            errors.setdefault(name, []).append(values[name][""] - value)
            stated.setdefault(name, []).append(values[f"{name}_mcse"][""])
    for name in truth:
        error, mcse = np.array(errors[name]), np.array(stated[name])
        ratio = np.sqrt(np.mean(error**2)) / np.sqrt(np.mean(mcse**2))
        # a root mean square of 80 is known to 1/√160 = 8 %: three times that
        assert 0.75 < ratio < 1.25, (name, ratio)


def test_thinned_draws_state_their_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    rng, y = np.random.default_rng(5), np.array([-1.0, 0.2, 3.0])
    problem = make_problem(holdout={"x": np.zeros((3, 2)), "y": y})
    scored = make_scored(problem, "exact", of_posterior(problem, 0.1 * rng.standard_normal((1, 4000, 4))))
    whole = table(list(predictive_rows(scored)))
    monkeypatch.setattr(predictive, "EVALUATIONS", 3 * 250)
    monkeypatch.setattr(predictive, "EVALUATIONS_CRPS", 3 * 64 * 250)
    few = table(list(predictive_rows(scored)))
    for name in ("elpd", "predictive_crps"):
        assert few[f"{name}_mcse"][""] == pytest.approx(4.0 * whole[f"{name}_mcse"][""], rel=0.2)  # √(4000 / 250)
        assert abs(few[name][""] - whole[name][""]) < 4.0 * few[f"{name}_mcse"][""]


class Coin:
    """y ~ Bernoulli(p), the success probability being the only parameter."""

    def discrete(self, data: Dataset) -> bool:
        return True

    def predict(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return np.asarray(draws["p"])[..., None] * np.ones(len(arrays["y"]))

    def log_likelihood(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return np.asarray(stats.bernoulli.logpmf(arrays["y"], np.asarray(draws["p"])[..., None]))

    def observation_cdf(self, data: Dataset, draws: Arrays, arrays: Arrays) -> Array:
        return np.asarray(stats.bernoulli.cdf(arrays["y"], np.asarray(draws["p"])[..., None]))


def coin(p: Array, y: Array) -> dict[str, dict[str, float]]:
    data = Dataset("coin", (Parameter("p", (), 0.0, 1.0),), {}, {}, holdout={"y": y})
    problem = Problem(data, cast(Family, Coin()), None)
    return table(list(predictive_rows(make_scored(problem, "exact", {"p": p[None]}))))


def test_crps_of_a_binary_observation_is_its_brier_score() -> None:
    y = np.array([1.0, 0.0, 0.0, 1.0, 1.0])
    found = coin(np.full(50, 0.3), y)
    assert found["predictive_crps"][""] == pytest.approx(np.mean((0.3 - y) ** 2), rel=1e-12)
    assert found["elpd"][""] == pytest.approx(3 * np.log(0.3) + 2 * np.log(0.7), rel=1e-12)


def test_discrete_crps_sums_over_the_integers() -> None:
    law, y = stats.poisson(4.0), np.array([0.0, 4.0, 11.0])
    k = np.arange(60)
    brute = [np.sum((law.cdf(k) - (k >= t)) ** 2) for t in y]
    found = discrete_crps(lambda k: law.cdf(k)[None], y, law.cdf)
    assert found is not None
    np.testing.assert_allclose(found.score, brute, rtol=1e-6)  # cut where the tail is 1e-4


def test_a_wide_discrete_distribution_is_not_summed() -> None:
    law = stats.poisson(1e10)
    assert discrete_crps(lambda k: law.cdf(k)[None], np.array([1e10]), law.cdf) is None


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95])
@pytest.mark.parametrize("p", [0.02, 0.3, 0.5])
def test_coverage_of_calibrated_binary_predictions_is_nominal(share: float, p: float) -> None:
    """Whether P(Y ≤ y) lies in the interval would be 0 or 1 for whole classes: the randomised transform is uniform."""
    zero, one = (covered(np.array([b]), np.array([a]), share)[0] for a, b in ((0.0, 1 - p), (1 - p, 1.0)))
    assert (1 - p) * zero + p * one == pytest.approx(share, rel=1e-12)
    found = coin(np.full(50, p), np.array([0.0, 1.0]))[f"predictive_coverage_{share * 100:.0f}"][""]
    assert found == pytest.approx((zero + one) / 2, rel=1e-9)


@pytest.mark.parametrize(("made", "share", "expected"), [(1.0, 0.9, 0.9), (1.0, 0.5, 0.5), (0.5, 0.9, 0.589)])
def test_coverage_of_normal_predictions(made: float, share: float, expected: float) -> None:
    """Calibrated ones cover what they say; sigmas of half the size cover ±0.82 sd instead of ±1.64."""
    cdf: Callable[[Any], Any] = stats.norm(scale=made).cdf
    assert covered(cdf(grid(20_000)), None, share).mean() == pytest.approx(expected, abs=1e-3)

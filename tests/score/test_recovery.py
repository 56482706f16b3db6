"""Recovery of the truth, against closed forms and brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.score.recovery import crps, recovery_rows
from bench.score.scores import score
from bench.stats.coverage import interval_score
from bench.types import Array
from tests.score.normal import PRIOR_VARIANCE_SIGMA, TRUTH, as_draws, make_problem, make_scored, of_posterior, table

CENTRE = np.array([*TRUTH["weights"], TRUTH["bias"], TRUTH["sigma"]])


def grid(n: int) -> Array:
    """A normal sample without noise."""
    return np.asarray(stats.norm.ppf((np.arange(n) + 0.5) / n))


def test_errors_are_signed_and_sigma_stays_out_of_the_rmse() -> None:
    errors = np.array([0.3, -0.4, 1.2, 9.0])
    found = table(
        list(recovery_rows(make_scored(make_problem(loc=2.0), "point", as_draws((CENTRE + errors)[None, None]))))
    )
    expected = dict(zip(["weights[0]", "weights[1]", "bias", "sigma"], errors, strict=True))
    assert found["recovery_error"] == pytest.approx(expected, rel=1e-12)  # rounding
    assert found["recovery_rmse"][""] == pytest.approx(1.3 / np.sqrt(3), rel=1e-12)  # 3-4-12-13
    assert found["recovery_rmse_exact"][""] == pytest.approx(2.0, rel=1e-12)
    assert found["crps"] == pytest.approx({k: abs(v) for k, v in expected.items()}, rel=1e-12)  # of a point
    relative = expected | {"weights[0]": 0.3 / 1.5, "weights[1]": -0.4 / 2.8, "bias": 1.2 / 0.5, "sigma": 9.0 / 0.7}
    assert found["recovery_relative_error"] == pytest.approx(relative, rel=1e-12)
    assert found["recovery_rmse_excess"][""] == pytest.approx(1.3 / np.sqrt(3) - 2.0, rel=1e-12)
    assert not {"covered_90", "width_90", "recovery_z", "interval_score_90", "contraction"} & set(found)


def test_a_truth_of_zero_has_no_relative_error() -> None:
    problem = make_problem()
    truth = {**problem.data.truth, "bias": np.array(0.0)}
    problem = replace(problem, data=replace(problem.data, truth=truth))
    found = {
        row.part: row.value
        for row in score(make_scored(problem, "point", as_draws(CENTRE[None, None])))
        if row.metric == "recovery_relative_error"
    }
    assert set(found) == {"weights[0]", "weights[1]", "sigma"}


def test_contraction_compares_the_variances() -> None:
    problem = make_problem(sd=0.5)
    draws = of_posterior(problem, np.repeat(grid(20_000)[None, :, None], 4, axis=2))
    found = table(list(recovery_rows(make_scored(problem, "vi", draws))))["contraction"]
    # a grid of 2e4 quantiles has a variance 1e-4 too small
    expected = {"weights[0]": 1 - 0.25 / 4, "weights[1]": 1 - 0.25 / 4, "bias": 1 - 0.25 / 16}
    assert found == pytest.approx(expected | {"sigma": 1 - 0.25 / PRIOR_VARIANCE_SIGMA}, abs=1e-4)


def test_a_prior_without_a_variance_has_no_contraction(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make_problem()
    flat = {"weights": np.array([np.inf, 4.0]), "bias": np.array(np.inf), "sigma": np.array(1.0)}
    monkeypatch.setattr(problem.family, "prior_variance", lambda data: flat, raising=False)
    draws = of_posterior(problem, np.random.default_rng(0).standard_normal((1, 100, 4)))
    found = table(list(recovery_rows(make_scored(problem, "vi", draws))))["contraction"]
    assert set(found) == {"weights[1]", "sigma"}


@pytest.mark.parametrize(("truth", "score_"), [(0.5, 2.0), (3.0, 22.0), (-1.5, 32.0), (2.0, 2.0)])
def test_interval_score_is_the_width_and_20_times_the_miss(truth: float, score_: float) -> None:
    assert interval_score(np.array(0.0), np.array(2.0), np.array(truth), 0.9) == pytest.approx(score_)


def test_interval_score_is_proper() -> None:
    """Its mean over N(0, 1) is least for the central 90 % interval, ±1.645."""
    y = grid(20_001)
    edge = stats.norm.ppf(0.95)

    def mean(low: float, high: float) -> float:
        return float(np.mean([interval_score(np.array(low), np.array(high), t, 0.9) for t in y]))

    best = mean(-edge, edge)
    assert best == pytest.approx(2 * edge + 40 * (stats.norm.pdf(edge) - edge * 0.05), rel=1e-3)  # grid of 2e4
    assert all(best < mean(*other) for other in ((-1.3, 1.3), (-2.0, 2.0), (-1.4, 1.9)))


@pytest.mark.parametrize(("off", "covered"), [(0.0, 1.0), (1.6, 1.0), (1.7, 0.0), (-1.7, 0.0)])
def test_the_central_interval_covers_1_64_standard_deviations(off: float, covered: float) -> None:
    draws = as_draws(CENTRE + 2.0 * (off + grid(10_000)[None, :, None]) * np.ones(4))
    found = table(list(recovery_rows(make_scored(make_problem(), "vi", draws))))
    assert set(found["covered_90"].values()) == {covered}
    assert found["width_90"]["bias"] == pytest.approx(4.0 * stats.norm.ppf(0.95), rel=1e-3)  # grid of 1e4 quantiles
    assert found["recovery_z"]["bias"] == pytest.approx(off, rel=1e-3, abs=1e-12)  # its sd is 2e-4 too small


def test_crps_equals_its_definition_and_the_closed_form() -> None:
    rng = np.random.default_rng(0)
    draws, truth = rng.standard_normal((40, 3)), np.array([0.0, 1.0, -2.0])
    pairs = np.abs(draws[:, None] - draws[None]).mean(axis=(0, 1))
    brute = np.abs(draws - truth).mean(axis=0) - pairs / 2
    np.testing.assert_allclose(crps(draws, truth), brute, rtol=1e-12)  # rounding
    normal = truth * (2 * stats.norm.cdf(truth) - 1) + 2 * stats.norm.pdf(truth) - 1 / np.sqrt(np.pi)
    found = crps(np.repeat(grid(20_000)[:, None], 3, axis=1), truth)
    np.testing.assert_allclose(found, normal, rtol=1e-3)  # a grid of 2e4 quantiles


def test_without_a_truth_nothing_is_recovered() -> None:
    problem = make_problem()
    problem = replace(problem, data=replace(problem.data, truth={}))
    assert list(recovery_rows(make_scored(problem, "point", as_draws(CENTRE[None, None])))) == []

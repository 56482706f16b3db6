"""Recovery of the truth and prediction, against closed forms and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.metrics.recovery import crps, recovery_rows
from bench.types import Array
from tests.metrics.normal import TRUTH, as_draws, make_problem, make_scored, of_posterior, table

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
    assert not {"covered_90", "width_90", "recovery_z", "elpd"} & set(found)


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


def test_pointwise_predictive_density_of_a_known_mixture() -> None:
    y = np.array([-1.0, 0.2, 3.0])
    problem = make_problem(holdout={"x": np.zeros((3, 2)), "y": y})
    bias = 0.5 + 0.8 * grid(2000)
    scalars = np.stack([*(np.full_like(bias, w) for w in TRUTH["weights"]), bias, np.full_like(bias, 0.6)], axis=-1)
    found = table(list(recovery_rows(make_scored(problem, "exact", as_draws(scalars[None])))))
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
    found = table(list(recovery_rows(scored)))
    mean = scored.draws.mean(axis=(0, 1))
    for suffix in ("", "_outside"):
        error = problem.data.holdout["x" + suffix] @ mean[:2] + mean[2] - problem.data.holdout["y" + suffix]
        assert found["predictive_mae" + suffix][""] == pytest.approx(np.abs(error).mean(), rel=1e-9)  # rounding
        assert found["predictive_rmse" + suffix][""] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-9)


def test_without_a_truth_nothing_is_recovered() -> None:
    from dataclasses import replace

    problem = make_problem()
    problem = replace(problem, data=replace(problem.data, truth={}))
    assert list(recovery_rows(make_scored(problem, "point", as_draws(CENTRE[None, None])))) == []

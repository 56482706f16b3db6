"""Rows of derived quantities and of predictions at new inputs, against closed forms and numpy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.score.catalog import METRICS
from bench.score.derived import derived_rows
from bench.score.predictive import predictive_rows
from bench.score.problem import Problem, Scored
from bench.score.scores import score
from bench.types import Arrays, Fit, Kind
from tests.score.normal import table


def make(name: str, **overrides: object) -> Problem:
    data = dataset(scenario(name, overrides), seed=1, rep=0)
    fam = family(data.family)
    return Problem(data, fam, fam.reference(data))


def scored(problem: Problem, kind: Kind, draws: Arrays) -> Scored:
    return Scored(problem, Fit(kind, draws), {"warmup": 1.0, "sample": 1.0}, False)


def exact_draws(problem: Problem, chains: int, n: int) -> dict[str, np.ndarray]:
    assert problem.reference is not None
    drawn = problem.reference.draw(chains * n, np.random.default_rng(3))
    return {k: v.reshape(chains, n, *v.shape[1:]) for k, v in drawn.items()}


def test_two_groups_rows_are_those_of_the_draws_and_near_the_exact_ones() -> None:
    problem = make("s3-best")
    draws = exact_draws(problem, 4, 5000)
    found = table(list(derived_rows(scored(problem, "mcmc", draws))))
    difference = (draws["mu"][..., 1] - draws["mu"][..., 0]).ravel()
    effect = difference / np.sqrt((draws["sigma"] ** 2).mean(-1)).ravel()
    for part, values in (("mu_diff", difference), ("effect_size", effect)):
        own = {"mean": values.mean(), "sd": values.std(ddof=1)}
        own |= {"q025": np.quantile(values, 0.025), "q975": np.quantile(values, 0.975)}
        for field, value in own.items():
            assert found[f"derived_{field}"][part] == pytest.approx(value, rel=1e-12)  # rounding
            # 20 000 independent draws: an extreme quantile has a standard error of 0.019 sd, five of them
            error = 5 * 0.019 * own["sd"]
            assert value == pytest.approx(found[f"derived_{field}_exact"][part], abs=error)
        assert found["derived_ess_bulk"][part] == pytest.approx(20_000, rel=0.1)  # independent draws; its own noise
    assert found["derived_mean"]["mu_diff<0"] == np.mean(difference < 0)
    assert found["derived_mean_exact"]["mu_diff<0"] == pytest.approx(np.mean(difference < 0), abs=0.018)  # 5·√(¼/n)
    for name in ("derived_sd", "derived_q025", "derived_q975", "derived_sd_exact", "derived_q025_exact"):
        assert set(found[name]) == {"mu_diff", "effect_size"}
    assert set(found) <= set(METRICS) and not any(name.startswith("predictive") for name in found)


def test_a_point_has_the_quantity_of_the_point_and_nothing_else() -> None:
    problem = make("s3-best")
    point = {"mu": np.array([[[0.5, -0.25]]]), "sigma": np.array([[[1.0, 2.0]]])}
    found = table(list(derived_rows(scored(problem, "point", point))))
    assert set(found) == {"derived_mean", "derived_mean_exact"}
    expected = {"mu_diff": -0.75, "effect_size": -0.75 / np.sqrt(2.5), "mu_diff<0": 1.0}
    assert found["derived_mean"] == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["vi", "exact"])
def test_fits_without_chains_have_no_ess(kind: Kind) -> None:
    problem = make("s3-best")
    found = table(list(derived_rows(scored(problem, kind, exact_draws(problem, 1, 50)))))
    assert "derived_ess_bulk" not in found and set(found["derived_q975"]) == {"mu_diff", "effect_size"}


def test_prediction_at_new_inputs_has_its_interval_and_that_of_a_new_observation() -> None:
    problem = make("s3-linear", **{"predict.x": [[0.5, 0.5], [0.0, 9.0]]})
    found = table(list(derived_rows(scored(problem, "mcmc", exact_draws(problem, 4, 2000)))))
    parts = {"prediction[0]", "prediction[1]"}
    assert all(set(rows) == parts for rows in found.values()) and len(found) == 4 + 4 + 1 + 4
    for part in parts:
        sd = found["derived_sd_exact"][part]
        # 8000 independent draws: a 2.5 % quantile has a standard error of 0.03 sd, five of them
        for field in ("mean", "q025", "q975"):
            assert found[f"derived_{field}"][part] == pytest.approx(
                found[f"derived_{field}_exact"][part], abs=0.15 * sd
            )
        for field in ("q025", "q975"):
            # here 2000 draws of mean and sigma, five standard errors of 0.07 sd for the mean, 0.05 noise for sigma
            error = 0.35 * sd + 0.02
            assert found[f"predictive_{field}"][part] == pytest.approx(
                found[f"predictive_{field}_exact"][part], abs=error
            )
        width = found["predictive_q975"][part] - found["predictive_q025"][part]
        sigma = problem.reference.mean["sigma"] if problem.reference else np.nan
        # nearly normal with 197 degrees of freedom; the ends' own noise is below 2 % of the width
        assert width == pytest.approx(2 * 1.96 * np.hypot(sd, sigma), rel=0.05)


def test_the_predictive_quantile_of_one_draw_is_that_of_its_normal() -> None:
    problem = make("s3-linear", **{"predict.x": [[0.5, 0.5]]})
    one = {"weights": np.array([[[300.0, -1.0]]]), "bias": np.array([[1000.0]]), "sigma": np.array([[1e-3]])}
    found = table(list(derived_rows(scored(problem, "vi", one))))
    law = stats.norm(1149.5, 1e-3)
    # bisection ends at the rounding of numbers near 1e3
    assert found["predictive_q025"]["prediction[0]"] == pytest.approx(law.ppf(0.025), abs=1e-12 * 1150)
    assert found["predictive_q975"]["prediction[0]"] == pytest.approx(law.ppf(0.975), abs=1e-12 * 1150)
    assert "derived_sd" not in found  # one draw has no spread


def test_coverage_of_the_holdout_counts_rows_inside_the_mixture_interval() -> None:
    problem = make("s3-best", **{"holdout.n_obs": 500})
    draws = exact_draws(problem, 2, 300)
    rows = table(list(predictive_rows(scored(problem, "exact", draws))))
    rng, held = np.random.default_rng(5), problem.data.holdout
    group = held["group"].astype(int)
    copies = 16  # a new observation for each draw, 16 times: 9 600 per row
    mu, sigma = (draws[name].reshape(-1, 2)[:, group] for name in ("mu", "sigma"))
    y = mu + sigma * rng.standard_normal((copies, *mu.shape))
    low, high = np.quantile(y.reshape(-1, len(group)), [0.025, 0.975], axis=0)
    inside = np.mean((held["y"] >= low) & (held["y"] <= high))
    # simulated ends are off by 0.03 sd, density 0.06 per sd on each side of 1000 rows: three or four rows
    assert rows["predictive_coverage_95"][""] == pytest.approx(inside, abs=0.005)
    assert 0.9 < inside < 1.0
    assert rows["predictive_mse"][""] == pytest.approx(rows["predictive_rmse"][""] ** 2)


def test_outside_the_training_range_the_error_is_against_the_noiseless_truth() -> None:
    problem = make("s1-known-noise")
    data = problem.data
    point = {"weights": np.array([[[3.1]]]), "bias": np.array([[0.9]])}
    found = table(score(scored(problem, "point", point)))
    x = data.holdout["x_outside"][:, 0]
    assert x.min() >= 6 and x.max() <= 7 and len(x) == 20
    assert found["predictive_mse_outside"][""] == pytest.approx(np.mean((3.1 * x + 0.9 - (3.0 * x + 1.0)) ** 2))
    assert "predictive_coverage_95" not in found and not any(name.startswith("derived") for name in found)

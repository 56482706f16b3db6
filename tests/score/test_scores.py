"""All scores of a fit: which apply, what they cost, and that a broken sampler does not look fine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from arviz_stats.base import array_stats

from bench.score.catalog import METRICS
from bench.score.scores import score
from bench.types import KINDS, Arrays, Kind
from tests.score.normal import READING, WARM, as_draws, make_problem, make_scored, of_posterior, table


def mcmc_stats() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    diverging = np.zeros((4, 200), dtype=bool)
    diverging[1, :3] = True
    return {
        "gradients": 9000,
        "gradients_warmup": 1000,
        "diverging": diverging,
        "treedepth_hits": 8,
        "superchains": 2,
        "energy": rng.standard_normal((4, 200)),
    }


def fitted(kind: Kind, *, cold: bool = False) -> Any:
    rng = np.random.default_rng(1)
    outside = {"x_outside": rng.standard_normal((3, 2)), "y_outside": rng.standard_normal(3)}
    holdout = {"x": rng.standard_normal((6, 2)), "y": rng.standard_normal(6)} | outside
    problem = make_problem(holdout=holdout, n_effective=1e6)
    shape = {"point": (1, 1), "vi": (1, 1000), "mcmc": (4, 200), "exact": (1, 500)}[kind]
    draws: Arrays = of_posterior(problem, 0.1 * rng.standard_normal((*shape, 4)))
    stats = {
        "mcmc": mcmc_stats(),
        "point": {"objective": "least_squares", "gradients": 50, "steps": 50},
        "vi": {"gradients": 70, "steps": 70, "log_q": rng.standard_normal((1, 1000))},
    }
    return make_scored(problem, kind, draws, cold=cold, **stats.get(kind, {}))


@pytest.mark.parametrize("kind", KINDS)
def test_every_metric_that_applies_has_rows_and_no_other(kind: Kind) -> None:
    rows = score(fitted(kind)) + score(fitted(kind, cold=True))
    applicable = {m.name for m in METRICS.values() if kind in m.kinds and m.scope in {"parameter", "fit"}}
    assert {row.metric for row in rows} == applicable
    assert all(np.isfinite(row.value) for row in rows)
    for row in rows:
        assert (row.part == "") == (METRICS[row.metric].scope == "fit"), row


def test_mean_and_sd_are_those_of_the_draws() -> None:
    scored = fitted("mcmc")
    found = table(score(scored))
    for part, x in (("bias", scored.fit.draws["bias"]), ("weights[1]", scored.fit.draws["weights"][..., 1])):
        assert found["mean"][part] == pytest.approx(np.mean(x), rel=1e-12)  # rounding
        assert found["sd"][part] == pytest.approx(np.std(x, ddof=1), rel=1e-12)


def test_moments_of_q_go_before_its_draws() -> None:
    problem = make_problem()
    draws = of_posterior(problem, np.random.default_rng(2).standard_normal((1, 100, 4)))
    found = table(score(make_scored(problem, "vi", draws, moments={"bias": (np.array(3.0), np.array(0.25))})))
    assert (found["mean"]["bias"], found["sd"]["bias"]) == (3.0, 0.25)
    assert found["sd"]["sigma"] == pytest.approx(np.std(draws["sigma"], ddof=1), rel=1e-12)


def test_efficiency_is_the_worst_ess_over_its_cost() -> None:
    warm, cold = (table(score(fitted("mcmc", cold=c))) for c in (False, True))
    ess = min(warm["ess_bulk"].values())
    assert warm["ess_bulk_min"][""] == ess
    expected = {
        "ess_per_second": ess / 5.0,
        "ess_per_second_sampling": ess / 3.0,
        "ess_per_gradient": ess / 9000,
        "ess_per_gradient_sampling": ess / 8000,
        "seconds_per_gradient": 5.0 / 9000,
        "roofline": READING * 9000 / 5.0,
    }
    for metric, value in expected.items():
        assert warm[metric][""] == pytest.approx(value, rel=1e-12), metric
    assert cold["ess_per_second_cold"][""] == pytest.approx(ess / sum(WARM.values()), rel=1e-12)
    assert "ess_per_second" not in cold and "ess_per_second_cold" not in warm


def test_what_the_sampler_says_of_itself() -> None:
    scored = fitted("mcmc")
    found = table(score(scored))
    assert found["divergences"][""] == pytest.approx(1000 * 3 / 800)
    assert found["draws"][""] == 800
    assert found["treedepth_hits"][""] == pytest.approx(1000 * 8 / 800)
    expected = array_stats.bfmi(scored.fit.stats["energy"]).min()
    # ArviZ divides by the variance, 200 draws against 199 differences
    assert found["e_bfmi"][""] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("stuck", ["every chain", "one chain", "chains apart"])
def test_a_stuck_sampler_does_not_look_fine(stuck: str) -> None:
    z = np.random.default_rng(3).standard_normal((4, 200, 4))
    if stuck == "every chain":
        z[:, :, 2] = 0.3
    elif stuck == "one chain":
        z[1, :, 2] = 0.3
    else:
        z[:, :, 2] = np.arange(4.0)[:, None]
    problem = make_problem()
    found = table(score(make_scored(problem, "mcmc", of_posterior(problem, z))))
    assert found["stuck_parameters"][""] == 1.0
    if stuck != "one chain":  # its place among the others' draws may leave the bulk ESS alone; R-hat sees it
        assert found["ess_bulk_min"][""] < 100 and found["ess_per_second"][""] < 20  # the gate asks for 400
    assert not found["r_hat"].get("bias", np.inf) < 1.05
    assert not found.get("r_hat_max", {}).get("", np.inf) < 1.05
    assert found["r_hat"]["sigma"] < 1.05  # 800 independent draws


def test_too_few_draws_have_no_diagnostics() -> None:
    problem = make_problem()
    found = table(score(make_scored(problem, "mcmc", of_posterior(problem, np.ones((2, 3, 4))))))
    assert "r_hat" not in found and "ess_bulk" not in found and "b2_max" in found


def test_optimality_gap_of_a_quadratic() -> None:
    problem = make_problem()
    x = np.column_stack([problem.data.arrays["x"], np.ones(20)])
    best = np.linalg.solve(x.T @ x, x.T @ problem.data.arrays["y"])
    off = np.array([0.1, -0.2, 0.3])
    point = as_draws(np.append(best + off, 1.0)[None, None])
    found = table(score(make_scored(problem, "point", point, objective="least_squares")))
    assert found["optimality_gap"][""] == pytest.approx(0.5 * off @ x.T @ x @ off, rel=1e-9)  # a difference of sums
    assert "optimality_gap" not in table(score(make_scored(problem, "point", point, objective="map")))  # no least value
    assert "optimality_gap" not in table(score(make_scored(problem, "point", point)))


def test_values_that_are_not_finite_have_no_row() -> None:
    problem = make_problem()
    same = as_draws(np.ones((1, 8, 4)))
    found = table(score(make_scored(problem, "vi", same, seconds={}, gradients=0)))
    assert "sd_ratio_log" not in found and "recovery_z" not in found  # log 0 and 0/0
    assert found["sd"]["bias"] == 0.0

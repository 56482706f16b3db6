"""Error against seconds and gradients."""

from __future__ import annotations

import numpy as np
import pytest

from bench.score.curves import curve
from bench.score.scores import score
from bench.types import Arrays, Checkpoint, Estimate
from tests.score.normal import TRUTH, as_draws, make_problem, make_scored, of_posterior, table


def shifted(by: float) -> Arrays:
    return {name: value + by for name, value in TRUTH.items()}


def constant(value: float) -> Arrays:
    return {name: np.full_like(v, value) for name, v in TRUTH.items()}


def test_a_point_is_a_dirac_and_ends_at_its_answer() -> None:
    points = [
        Checkpoint(1, 0.1, 1.0, Estimate(shifted(3.0), objective=9.0)),
        Checkpoint(10, 1.0, 10.0, Estimate(shifted(1.0), objective=1.0)),
    ]
    draws = {name: v[None, None] for name, v in shifted(0.0).items()}
    scored = make_scored(make_problem(), "point", draws, checkpoints=points, steps=12, gradients=12)
    way = curve(scored)
    assert way.step.tolist() == [1, 10, 12] and way.gradients.tolist() == [1, 10, 12]
    assert way.seconds.tolist() == [0.1, 1.0, 5.0]  # the last: warmup + sample
    assert way.seconds_cold == pytest.approx([11.1, 12.0, 16.0])  # with 1 s build and 10 s compile
    # posterior sd 1: shift² for θ, (shift² − 1)²/2 for its centred square
    for row, shift in zip(way.b2, (3.0, 1.0, 0.0), strict=True):
        np.testing.assert_allclose(row, [shift**2] * 4 + [(shift**2 - 1) ** 2 / 2] * 4, rtol=1e-12, atol=1e-12)
    rows = list(way.rows())
    assert [(r.step, r.value) for r in rows if r.metric == "objective"] == [(1, 9.0), (10, 1.0)]
    assert [r.value for r in rows if r.metric == "b2_max"] == pytest.approx([32.0, 1.0, 0.5])
    assert [r.value for r in rows if r.metric == "b2_avg"] == pytest.approx([20.5, 0.5, 0.25])


def test_a_checkpoint_at_the_last_step_is_the_answer() -> None:
    points = [Checkpoint(s, 0.1 * s, float(s), Estimate(shifted(0.0), objective=2.0 / s)) for s in (1, 2)]
    draws = {name: v[None, None] for name, v in shifted(0.0).items()}
    way = curve(make_scored(make_problem(), "point", draws, checkpoints=points, steps=2, gradients=2))
    assert way.step.tolist() == [1, 2] and way.objective.tolist() == [2.0, 1.0]


def test_a_method_without_steps_is_a_single_point() -> None:
    draws = {name: v[None, None] for name, v in shifted(1.0).items()}
    rows = list(curve(make_scored(make_problem(), "point", draws, gradients=1)).rows())
    assert {(r.metric, r.step, r.seconds, r.gradients) for r in rows} == {
        ("b2_avg", 1, 5.0, 1.0),
        ("b2_max", 1, 5.0, 1.0),
    }


def test_variational_fits_are_scored_on_the_moments_of_q() -> None:
    points = [Checkpoint(1, 0.1, 2.0, Estimate(shifted(0.5), constant(2.0), objective=-3.0))]
    z = np.random.default_rng(0).standard_normal((1, 50, 4))
    problem = make_problem()
    moments = {name: (value, np.ones_like(value)) for name, value in TRUTH.items()}
    scored = make_scored(problem, "vi", of_posterior(problem, z), checkpoints=points, moments=moments, steps=9)
    way = curve(scored)
    # sd² + shift² − 1 = 3.25
    np.testing.assert_allclose(way.b2[0, :8], [0.25] * 4 + [3.25**2 / 2] * 4, rtol=1e-12)
    np.testing.assert_allclose(way.b2[-1, :8], 0.0, atol=1e-24)  # q is the posterior, whatever its draws
    # whose shape and joint distribution are known at the end only
    assert way.b2.shape[1] > 8 and (way.b2[:, 8:] == way.b2[-1, 8:]).all()


def test_draws_are_prorated_by_their_gradients() -> None:
    problem = make_problem()
    z = np.random.default_rng(1).standard_normal((2, 100, 4))
    steps = np.ones((2, 100))
    steps[:, 50:] = 3.0  # the second half costs three times as much
    scored = make_scored(
        problem, "mcmc", of_posterior(problem, z), num_steps=steps, gradients=1000, gradients_warmup=600
    )
    way = curve(scored)
    spent = np.cumsum(steps.sum(axis=0))[way.step.astype(int) - 1] / steps.sum()
    np.testing.assert_allclose(way.seconds, 2.0 + 3.0 * spent, rtol=1e-12)
    np.testing.assert_allclose(way.gradients, 600 + 400 * spent, rtol=1e-12)
    np.testing.assert_allclose(way.seconds_cold, way.seconds + 11.0, rtol=1e-12)
    assert way.step[0] == 2 and way.step[-1] == 100 and len(way.step) <= 30 and (np.diff(way.step) > 0).all()
    scored.fit.stats["num_steps_executed"] = executed = np.arange(200.0).reshape(2, 100)  # type: ignore[index]
    lockstep = curve(scored)
    np.testing.assert_array_equal(lockstep.gradients, way.gradients)
    took = np.cumsum(executed.sum(axis=0))[way.step.astype(int) - 1] / executed.sum()
    np.testing.assert_allclose(lockstep.seconds, 2.0 + 3.0 * took, rtol=1e-12)


def test_each_point_scores_the_first_draws_of_all_chains() -> None:
    problem = make_problem(loc=1e5)
    z = np.random.default_rng(2).standard_normal((3, 80, 4))
    draws = of_posterior(problem, z)
    way = curve(make_scored(problem, "mcmc", draws))
    for m, found in zip(way.step.astype(int), way.b2, strict=True):
        first = z[:, :m].reshape(-1, 4)
        expected = [*np.mean(first, axis=0) ** 2, *(np.mean(first**2, axis=0) - 1) ** 2 / 2]
        # at 1e5 the draws are rounded to 1e-11 sd
        np.testing.assert_allclose(found[:8], expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(np.diff(way.seconds) / np.diff(way.step), 3.0 / 80)  # linear without num_steps


def test_the_curve_ends_at_the_score() -> None:
    problem = make_problem()
    scored = make_scored(problem, "mcmc", of_posterior(problem, np.random.default_rng(3).standard_normal((4, 60, 4))))
    last = {r.metric: r.value for r in curve(scored).rows()}
    found = table(score(scored))
    assert last == pytest.approx({m: found[m][""] for m in ("b2_avg", "b2_max")}, rel=1e-9)  # other order of sums


def test_without_a_reference_only_the_objective_is_left() -> None:
    points = [Checkpoint(1, 0.1, 1.0, Estimate(shifted(0.0), objective=4.0))]
    problem = make_problem(exact=False)
    point = make_scored(problem, "point", as_draws(np.zeros((1, 1, 4))), checkpoints=points, steps=3)
    assert [(r.metric, r.value) for r in curve(point).rows()] == [("objective", 4.0)]
    mcmc = make_scored(problem, "mcmc", as_draws(np.random.default_rng(4).standard_normal((2, 9, 4))))
    assert list(curve(mcmc).rows()) == []

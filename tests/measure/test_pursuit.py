"""Fits that run until a target, by a sampler whose error has a known law and a clock whose every tick is known."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import integrate, stats

from bench.cell import BUDGETS, Cell
from bench.measure.clock import WallClock
from bench.measure.pursuit import GROWTH, Pursuit, follow
from bench.types import Budget, Dataset, Estimate, Fit, Parameter

TARGET, PER_DRAW = 0.01, 2.0
DATA = Dataset("none", (Parameter("x"),), {}, {})


class Mean:
    """A judge of standard normal draws by their mean alone: b² is its square."""

    def __init__(self) -> None:
        self.sum, self.made = 0.0, 0

    def more(self, draws: Any) -> float:
        self.sum, self.made = self.sum + float(draws["x"].sum()), self.made + draws["x"].size
        return (self.sum / self.made) ** 2

    def answer(self, estimate: Estimate) -> float:
        return float(estimate.mean["x"])


class State(NamedTuple):
    rng: np.random.Generator
    draws: Any


class Independent:
    """A sampler of independent draws, each of which takes the clock two seconds."""

    now = 0.0

    def resume(self, program: Any, data: Dataset, state: State, draws: int, clock: WallClock) -> State:
        with clock("sample"):
            self.now += PER_DRAW * draws
        return State(state.rng, state.rng.standard_normal((1, draws)))

    def draw(self, state: State) -> Fit:
        per_draw = {"log_density": state.draws, "gradients": state.draws.size, "step_size": state.draws[0, 0]}
        return Fit("mcmc", {"x": state.draws}, stats=per_draw)


def budget(until: float = TARGET) -> Budget:
    cell = Cell("s", (), "b", (("chains", 1), ("until", until)), "quick", "matched", "cpu", "float64")
    return cell.resolved_budget()


def pursue(seed: int, limit: float = np.inf, least: int = 0) -> tuple[Pursuit, Fit, WallClock]:
    method, hunt, first = Independent(), Pursuit(TARGET, limit, Mean(), least), budget()
    clock = WallClock(timer=lambda: method.now, pursuit=hunt)
    state = method.resume(None, DATA, State(np.random.default_rng(seed), None), first.draws, clock)
    return hunt, follow(method, None, DATA, state, clock, hunt, first), clock


def test_the_target_is_met_as_early_as_theory_says_and_what_follows_was_not_chosen() -> None:
    """The first look is after 100 draws, where n·b² is a chi-square: it is below 1 in P(χ² < 1) = 68.3 % of fits.

    At the second, of 142 draws, the sum must be inside ±√(142·1.42) although it was outside ±10 after 100.
    """
    reps, looks = 800, np.array([100, 142])
    assert budget().draws == 100 and np.ceil(100 * GROWTH) == 142
    met, after = np.empty(reps), np.empty(reps)
    for seed in range(reps):
        hunt, fit, _ = pursue(seed)
        assert hunt.met is not None and fit.draws["x"].shape == (1, 2 * hunt.met.step)
        met[seed], after[seed] = hunt.met.step, fit.draws["x"][0, hunt.met.step :].mean() ** 2 * hunt.met.step
    edge = TARGET**0.5 * looks[1]
    late, _ = integrate.quad(
        lambda s: (
            2.0
            * stats.norm.pdf(s, scale=10.0)
            * (stats.norm.cdf((edge - s) / 42**0.5) - stats.norm.cdf((-edge - s) / 42**0.5))
        ),
        10.0,
        100.0,
    )
    for share, truth in ((met == 100).mean(), stats.chi2.cdf(1.0, 1)), ((met == 142).mean(), late):
        assert share == pytest.approx(truth, abs=4.0 * (truth * (1 - truth) / reps) ** 0.5)  # 4 standard errors
    assert after.mean() == pytest.approx(1.0, abs=4.0 * (2.0 / reps) ** 0.5)  # a chi-square: variance 2


def test_a_stricter_target_is_looked_at_later() -> None:
    assert budget(0.001).draws == 1000 and budget(0.5).draws == 10
    assert BUDGETS["quick"].until == 0.0


def test_all_draws_are_one_fit_and_all_of_them_cost() -> None:
    hunt, fit, clock = pursue(1)
    assert hunt.met is not None
    draws = fit.draws["x"]
    assert clock.seconds == {"sample": PER_DRAW * draws.size}
    assert hunt.met.seconds == PER_DRAW * hunt.met.step
    assert fit.stats["gradients"] == draws.size  # a sum over blocks
    assert np.array_equal(fit.stats["log_density"], draws)  # one after the other
    assert fit.stats["step_size"] == draws[0, hunt.met.step]  # the last block's
    assert hunt.outcome() == {"target": TARGET, "step": hunt.met.step, "seconds": hunt.met.seconds,
                              "seconds_cold": hunt.met.seconds} and not hunt.note()  # fmt: skip


def test_a_fit_that_meets_its_target_early_has_the_draws_of_its_budget() -> None:
    hunt, fit, _ = pursue(0, least=500)
    assert hunt.met is not None and hunt.met.step == 100 and fit.draws["x"].shape == (1, 500)


def test_a_limit_ends_the_search_and_its_last_block_fits_into_it() -> None:
    found = [pursue(seed, limit=230.0) for seed in range(20)]
    missed = [(hunt, fit) for hunt, fit, _ in found if hunt.met is None]
    assert missed and len(missed) < 20
    for hunt, fit in missed:
        assert fit.draws["x"].size == 115 and hunt.outcome() == {"target": TARGET}
        assert "the target 0.01 was not met in 230 s: b² was 0.0" in hunt.note()[0]


def test_a_block_that_cannot_be_used_ends_it_and_is_there_to_be_judged() -> None:
    method, hunt = Independent(), Pursuit(TARGET, np.inf, Mean())
    clock = WallClock(timer=lambda: method.now, pursuit=hunt)
    broken = State(np.random.default_rng(0), np.full((1, 100), np.nan))
    fit = follow(method, None, DATA, broken, clock, hunt, budget())
    assert np.isnan(fit.draws["x"]).all() and hunt.met is None


def test_an_optimiser_stops_where_its_error_stays_below_the_target_for_as_many_steps_again() -> None:
    """Errors by step: below at 3, lost at 5, below from 6 on; looked at at steps 1, 2, 3, 4, 5, 6, 8, 10, 12, …"""
    hunt, now = Pursuit(TARGET, np.inf, Mean()), [0.0]
    clock = WallClock(timer=lambda: now[0], pursuit=hunt)
    with clock("build"):
        now[0] += 100.0
    with clock("sample"):
        for step in range(1, 100):
            now[0] += 1.0
            error = 0.001 if step in (3, 4) or step >= 6 else 0.02
            if clock.checkpoint(step, lambda error=error: Estimate({"x": np.array(error)}, draws=dict)):  # type: ignore[misc]
                break
    assert step == 12 and hunt.met == (6, 6.0, 100.0)
    assert hunt.outcome()["seconds_cold"] == 106.0
    assert all(point.estimate.draws is None for point in clock.checkpoints)  # they would keep the state of every step


def test_an_optimiser_that_does_not_meet_it_stops_at_the_limit_and_its_answer_counts() -> None:
    hunt, now = Pursuit(TARGET, 5.0, Mean()), [0.0]
    clock = WallClock(timer=lambda: now[0], pursuit=hunt)
    with clock("sample"):
        for step in range(1, 100):
            now[0] += 1.0
            if clock.checkpoint(step, lambda: Estimate({"x": np.array(0.02)})):
                break
    assert step == 5 and hunt.met is None
    hunt.answered(clock, Fit("point", {"x": np.full((1, 1), 0.001)}, stats={"steps": step}))
    assert hunt.met is not None and (hunt.met.step, hunt.met.seconds) == (5, 5.0)

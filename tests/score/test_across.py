"""Scores over the reps of a cell: means first, the worst afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.score.across import TARGET, CellScores
from bench.score.curves import Curve
from bench.score.problem import Row
from bench.stats.coverage import wilson
from bench.stats.settling import aligned, settled
from bench.types import Array


def way(errors: list[list[float]], steps: list[int] | None = None, *, pace: float = 1.0) -> Curve:
    step = np.array(steps or range(1, len(errors) + 1), dtype=float)
    b2 = np.array(errors)
    return Curve(step, pace * step, pace * step + 100.0, 2 * step, b2, np.full(len(step), np.nan))


def cell(
    *ways: Curve, kind: str = "mcmc", fresh: bool = True, rows: list[list[Row]] | None = None
) -> dict[tuple[int | None, str, str], float]:
    """Rows of the cell, which are the same whichever rep comes first."""
    forwards, backwards = CellScores(kind, fresh_data=fresh), CellScores(kind, fresh_data=fresh)
    for rep, w in enumerate(ways):
        forwards.add(rep, rows[rep] if rows else [], w, cold=rep == 0)
        last = len(ways) - 1 - rep
        backwards.add(last, rows[last] if rows else [], ways[last], cold=last == 0)
    found = list(forwards.rows())
    assert list(backwards.rows()) == found
    return {(r.rep, r.metric, r.part): r.value for r in found}


EMPTY = Curve(*(np.empty(0) for _ in range(4)), np.empty((0, 0)), np.empty(0))


def test_the_mean_over_reps_comes_before_the_worst() -> None:
    rows = [[Row("b2", "a", 0.1), Row("b2", "b", 0.3)], [Row("b2", "a", 0.5), Row("b2", "b", 0.1)]]
    found = cell(EMPTY, EMPTY, rows=rows)
    assert found[None, "n_eq", "a"] == pytest.approx(1 / 0.3) and found[None, "n_eq", "b"] == pytest.approx(1 / 0.2)
    assert found[None, "n_eq", ""] == pytest.approx(1 / 0.3)
    assert found[None, "b2_max", ""] == pytest.approx(0.3)  # not the mean of the largest, 0.4
    assert found[None, "b2_avg", ""] == pytest.approx(0.25)


def test_error_equivalent_draws_of_independent_draws_are_their_number() -> None:
    rng, reps, size = np.random.default_rng(0), 4000, 50
    rows = [[Row("b2", "a", float(x.mean() ** 2))] for x in rng.standard_normal((reps, size))]
    found = cell(*[EMPTY] * reps, rows=rows)
    assert found[None, "n_eq", "a"] == pytest.approx(size, rel=0.12)  # a mean of 4000 chi-squares: sd 2.2 %


def test_an_error_of_exactly_zero_has_no_infinite_row() -> None:
    found = cell(EMPTY, rows=[[Row("b2", "a", 0.0)]])
    assert found[None, "b2_max", ""] == 0.0
    assert not [key for key in found if key[1] == "n_eq"]


def test_effective_draws_are_averaged_per_scalar_first_and_stuck_ones_count() -> None:
    rows = [
        [Row("ess_bulk", "a", 100.0), Row("ess_bulk", "b", 900.0)],
        [Row("ess_bulk", "a", 500.0), Row("ess_bulk", "b", 0.0)],
    ]
    found = cell(EMPTY, EMPTY, rows=rows)
    assert found[None, "ess_bulk_min", ""] == 300.0
    assert found[None, "ess_bulk_median", ""] == 375.0


def test_coverage_needs_fresh_data() -> None:
    rows = [
        [Row("covered_90", "a", 1.0), Row("covered_90", "b", 0.0)],
        [Row("covered_90", "a", 1.0), Row("covered_90", "b", 1.0)],
    ]
    assert cell(EMPTY, EMPTY, rows=rows)[None, "coverage_90", ""] == 0.75
    assert (None, "coverage_90", "") not in cell(EMPTY, EMPTY, rows=rows, fresh=False)


@pytest.mark.parametrize(
    ("error", "index"),
    [
        ([0.5, 0.009, 0.001], 1),
        ([0.5, 0.001, 0.02, 0.001], 3),
        ([0.001, 0.001], 0),
        ([0.001, 0.01], None),
        ([0.5], None),
    ],
)
def test_settled_is_the_first_point_after_which_the_error_stays(error: list[float], index: int | None) -> None:
    assert settled(np.array(error), TARGET) == index


def test_time_to_accuracy_uses_the_mean_over_reps_of_every_function() -> None:
    # means: f1 0.1, 0.006, 0.001; f2 0.1, 0.02, 0.004: settled at the third point
    first = way([[0.1, 0.1], [0.002, 0.03], [0.001, 0.004]])
    second = way([[0.1, 0.1], [0.010, 0.01], [0.001, 0.004]], pace=2.0)
    third = way([[0.1, 0.1], [0.006, 0.02], [0.001, 0.004]], pace=4.0)
    found = cell(first, second, third)
    assert found[None, "time_to_accuracy", ""] == pytest.approx(9.0)  # median of the warm reps' 6 and 12
    assert found[1, "time_to_accuracy", ""] == 6.0 and found[2, "time_to_accuracy", ""] == 12.0
    assert (0, "time_to_accuracy", "") not in found
    assert found[None, "time_to_accuracy_cold", ""] == 103.0 == found[0, "time_to_accuracy_cold", ""]
    assert (1, "time_to_accuracy_cold", "") not in found
    assert found[None, "gradients_to_accuracy", ""] == 6.0
    assert found[None, "accuracy_floor", ""] == pytest.approx(0.004)


def test_never_is_a_floor_without_a_time() -> None:
    found = cell(way([[0.001, 0.4], [0.001, 0.17]]), way([[0.001, 0.4], [0.001, 0.17]]))
    assert set(found) == {(None, "accuracy_floor", "")}
    assert found[None, "accuracy_floor", ""] == pytest.approx(0.17)


def test_exact_draws_take_no_gradients() -> None:
    found = cell(way([[0.1], [0.001]]), kind="exact")
    assert {key[1] for key in found} == {"accuracy_floor", "time_to_accuracy_cold"}


def test_a_rep_that_stopped_early_keeps_its_answer() -> None:
    early, late = way([[0.5], [0.001]], [1, 4]), way([[0.5], [0.5], [0.001]], [2, 4, 8])
    steps, at = aligned([early.step, late.step])
    assert steps.tolist() == [2, 4, 8]
    assert [i.tolist() for i in at] == [[0, 1, 1], [0, 1, 2]]
    found = cell(early, late)
    assert found[1, "time_to_accuracy", ""] == 8.0
    assert found[None, "time_to_accuracy_cold", ""] == 104.0  # it was done after 4 of its own seconds


def test_without_a_reference_there_is_no_time() -> None:
    bare: Array = np.empty((2, 0))
    step = np.array([1.0, 2.0])
    assert cell(Curve(step, step, step, step, bare, step)) == {}


def test_bias_and_coverage_of_each_scalar_over_data_sets() -> None:
    rows = [[Row("recovery_error", "a", float(i)), Row("covered_90", "a", float(i < 9))] for i in range(10)]
    found = cell(*[EMPTY] * 10, rows=rows)
    assert found[None, "recovery_bias", "a"] == 4.5 and found[None, "coverage_90", "a"] == 0.9
    low, high = proportion(9, 10)
    assert found[None, "coverage_90_low", "a"] == pytest.approx(low, rel=1e-9)
    assert found[None, "coverage_90_high", "a"] == pytest.approx(high, rel=1e-9)
    assert not any("recovery_bias" in key for key in cell(*[EMPTY] * 10, rows=rows, fresh=False))


def proportion(k: int, n: int) -> tuple[float, float]:
    """Wilson's interval from SciPy."""
    found = stats.binomtest(k, n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


@pytest.mark.parametrize(("k", "n"), [(0, 5), (5, 5), (180, 200)])
def test_wilson_interval_equals_scipy(k: int, n: int) -> None:
    np.testing.assert_allclose(wilson(k, n), proportion(k, n), rtol=1e-9, atol=1e-12)

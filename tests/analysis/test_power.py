"""What the gates find is computed from their design: against simulated cells."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bench.analysis.agreement import LEVEL
from bench.analysis.power import detectable, table
from bench.stats.departures import PER_DRAW, p_values


@pytest.mark.parametrize("effective", [400.0, 4000.0, 60_000.0])
def test_what_is_stated_is_found_in_95_percent_of_cells(effective: float) -> None:
    rng, n, scalars = np.random.default_rng(int(effective)), 40_000, 4
    at, freedom = detectable(effective, scalars), effective / PER_DRAW
    error = freedom / rng.chisquare(freedom, n)  # of the variance of the mean, as the p-value takes it
    counted, ones = np.full(n, effective), np.ones(n)
    biased = at.bias + rng.standard_normal(n) / np.sqrt(effective)
    p = p_values(biased, ones / effective / error, 0.0 * ones, counted)
    # 40 000 cells: a standard error of 0.1 %
    assert np.mean(scalars * p <= LEVEL) == pytest.approx(0.95, abs=0.005)
    square = (1.0 - at.narrow) ** 2 * rng.chisquare(effective, n) / effective
    p = p_values((square - 1.0) / np.sqrt(2.0), ones / effective, np.sqrt(8.0 / effective) * ones, counted)
    # the effective draws are known here, which makes the test a little better than what is stated
    assert 0.945 < np.mean(scalars * p <= LEVEL) < 0.985


def test_more_reps_and_more_draws_find_more() -> None:
    rows = list(table())
    for (budget, reps, one), (other, more, next_) in itertools.pairwise(rows):
        if budget == other:
            assert more > reps and next_.bias < one.bias and next_.narrow < one.narrow
    known = {(budget, reps): one for budget, reps, one in rows}
    assert known["standard", 15].narrow < 0.05 and known["standard", 15].bias < 0.03

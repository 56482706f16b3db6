"""The traces behind the degrees of freedom of Σz², against the matrix of all pairs of batches."""

import numpy as np
import pytest

from bench.score.agreement import _traces, agreement


@pytest.mark.parametrize(("batches", "scalars"), [(90, 7), (12, 12), (12, 40)])
def test_both_ways_give_what_the_products_of_distinct_batches_give(batches, scalars):
    rng = np.random.default_rng(5)
    rows = rng.standard_normal((batches, scalars)) @ rng.standard_normal((scalars, scalars))
    products = rows @ rows.T
    np.fill_diagonal(products, 0.0)
    expected = np.trace(products @ products), np.trace(products @ products @ products)
    assert _traces(rows) == pytest.approx(expected, rel=1e-10)  # float64 of sums that hardly cancel


def test_a_thousand_chains_need_no_matrix_of_all_pairs_of_batches():
    """22 528 batches: the matrix of all pairs would have 4 GB, and its square take minutes."""
    draws = np.random.default_rng(6).standard_normal((1024, 500, 3))
    effective, tail = agreement(draws)
    assert effective == pytest.approx(
        3.0, rel=1e-2
    )  # three independent scalars; 22 528 batches bound R's error by 1/150
    assert tail == pytest.approx(3.0, rel=1e-2)

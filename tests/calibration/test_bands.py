"""The bands' level is exact: held against enumeration, against SciPy, and against simulation."""

import itertools

import numpy as np
import pytest
from scipy import stats

from bench.calibration.bands import band, counts, p_value

REPLICATES = 4000


@pytest.mark.parametrize(("n", "draws"), [(5, 3), (3, 7), (8, 1), (1, 4)])
def test_p_values_are_exact_by_enumeration_of_all_ranks(n, draws):
    """Over all equally likely rank vectors, the share with a p-value of at most p is p, for every p that occurs."""
    values = np.array([p_value(np.array(r), draws) for r in itertools.product(range(draws + 1), repeat=n)])
    for p in np.unique(values.round(12)):
        assert np.mean(values <= p + 1e-9) == pytest.approx(p, abs=1e-9)


def test_the_statistic_is_the_least_binomial_tail():
    """Rank vectors are ordered as SciPy's binomial distribution orders them."""
    rng, n, draws = np.random.default_rng(0), 12, 7
    ranks = rng.integers(0, draws + 1, (200, n))
    share = np.arange(1, draws + 1) / (draws + 1)
    below = np.array([[(r < k).sum() for k in range(1, draws + 1)] for r in ranks])
    tail = np.minimum(stats.binom.cdf(below, n, share), stats.binom.sf(below - 1, n, share)).min(axis=1)
    found = np.array([p_value(r, draws) for r in ranks])
    order = np.argsort(tail)
    assert (np.diff(found[order]) >= -1e-9).all()
    assert found.min() < 0.2 < 0.8 < found.max()


@pytest.mark.parametrize(("n", "draws"), [(20, 7), (50, 31), (200, 127), (200, 255), (1000, 63)])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_uniform_ranks_stay_inside_as_often_as_promised(n, draws, alpha):
    found = band(n, draws, alpha)
    assert 1.0 - alpha <= found.coverage <= 1.0 - alpha + 0.01  # counts are discrete: rather too wide than too narrow
    rng = np.random.default_rng(n + draws)
    ranks = rng.integers(0, draws + 1, (REPLICATES, n))
    inside = 0
    for r in ranks:
        below = counts(r, draws)
        inside += bool(((found.lower <= below) & (below <= found.upper)).all())
    standard_error = np.sqrt(found.coverage * (1.0 - found.coverage) / REPLICATES)
    assert inside / REPLICATES == pytest.approx(found.coverage, abs=4.0 * standard_error)  # 10 cases: 1 of 1600 fails


def test_outside_the_band_is_the_same_as_a_small_p_value():
    rng, n, draws = np.random.default_rng(3), 60, 31
    seen = set()
    for shape in np.linspace(0.5, 1.5, 60):
        ranks = np.floor(rng.beta(shape, 1.0, n) * (draws + 1))
        below = counts(ranks, draws)
        for alpha in (0.05, 0.002):
            found = band(n, draws, alpha)
            outside = bool(((below < found.lower) | (below > found.upper)).any())
            assert outside == (p_value(ranks, draws) <= alpha)
            seen.add(outside)
    assert seen == {True, False}


def test_counts_are_of_ranks_below_k():
    np.testing.assert_array_equal(counts(np.array([0, 0, 2, 3]), 3), [2, 2, 3])

import numpy as np
import pytest
from scipy import stats

from bench.stats.coverage import coverage, interval_score, wilson


@pytest.mark.parametrize(("hits", "total"), [(0, 20), (20, 20), (7, 20), (190, 200), (1, 3)])
def test_wilson_is_scipys(hits, total):
    known = stats.binomtest(hits, total).proportion_ci(0.95, method="wilson")
    assert wilson(hits, total) == pytest.approx((known.low, known.high), abs=1e-12)


def test_wilson_without_trials_knows_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


def test_coverage_of_indicators_and_of_shares():
    found = coverage(0.9, np.array([1.0, 1.0, 0.0, 1.0]))
    assert (found.share, found.total) == (0.75, 4)
    assert found.low < 0.75 < found.high
    assert coverage(0.9, np.array([1.0, 0.5, 0.5, 1.0])) == found  # the same mean over as many data sets
    assert coverage(0.5, np.ones(40)).off and not coverage(0.95, np.ones(40)).off


def test_interval_score_is_least_in_the_mean_for_the_central_interval():
    """Gneiting and Raftery: it is a proper score; for a standard Normal the central 90 % interval is best."""
    truth = np.random.default_rng(0).standard_normal(20_000)
    edge = stats.norm.ppf(0.95)
    means = {f: interval_score(np.array(-f * edge), np.array(f * edge), truth, 0.9).mean() for f in (0.6, 1.0, 1.6)}
    assert means[1.0] < min(means[0.6], means[1.6])
    assert interval_score(np.array(0.0), np.array(1.0), np.array(1.5), 0.9) == pytest.approx(1.0 + 20.0 * 0.5)

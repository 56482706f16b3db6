"""Where the truth lies in one fit, against loops, SciPy and known autocorrelation."""

import numpy as np
import pytest
from scipy import stats

from bench.calibration.ranks import LADDER, LEVELS, LOG_LIKELIHOOD, place, rank
from bench.catalog.scenarios import scenario
from bench.data import calibration_data, dataset, family
from bench.errors import NoReference
from bench.types import Fit


@pytest.fixture(scope="module")
def data():
    chosen = scenario("s0-uniform")
    return calibration_data(chosen, dataset(chosen, seed=0, rep=0), seed=0, number=3)


def fit_of(data, kind="mcmc", chains=4, draws=500):
    reference = family(data.family).reference(data)
    drawn = reference.draw(chains * draws, np.random.default_rng(1))
    return Fit(kind, {k: v.reshape(chains, draws, *v.shape[1:]) for k, v in drawn.items()})


def test_ranks_against_a_loop():
    rng = np.random.default_rng(0)
    for size, total in [(7, 7), (7, 20), (63, 100), (127, 1000)]:
        draws, truth = rng.standard_normal(total), float(rng.standard_normal())
        chosen = [draws[int((i + 0.5) * total / size)] for i in range(size)]
        assert len(set(chosen)) == size
        assert rank(draws, truth, size, rng) == sum(d < truth for d in chosen)
    assert rank(np.zeros(6), 0.0, 7, rng) is None


def test_ties_are_broken_evenly():
    rng = np.random.default_rng(0)
    draws = np.array([0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
    found = np.bincount([rank(draws, 1.0, 7, rng) for _ in range(4000)], minlength=8)
    assert found[[0, 5, 6, 7]].sum() == 0
    assert stats.chisquare(found[1:5]).pvalue > 1e-3


def test_every_scalar_and_the_joint_log_likelihood_have_their_place(data):
    fit = fit_of(data)
    found = place(fit, data, family("linear"), np.random.default_rng(0))
    assert list(found) == ["weights[0]", "weights[1]", "bias", "sigma", LOG_LIKELIHOOD]
    w, b, s = (fit.draws[k].reshape(2000, -1) for k in ("weights", "bias", "sigma"))
    likely = stats.norm.logpdf(data.arrays["y"], w @ data.arrays["x"].T + b, s).sum(axis=1)
    truth = data.truth
    at = stats.norm.logpdf(data.arrays["y"], data.arrays["x"] @ truth["weights"] + truth["bias"], truth["sigma"]).sum()
    for name, draws, true in [("weights[1]", w[:, 1], truth["weights"][1]), (LOG_LIKELIHOOD, likely, at)]:
        one = found[name]
        assert one.truth == pytest.approx(true, rel=1e-12)
        assert one.mean == pytest.approx(draws.mean(), rel=1e-12)
        assert one.sd == pytest.approx(draws.std(ddof=1), rel=1e-9)
        for i, level in enumerate(LEVELS):
            edges = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2])
            assert (one.low[i], one.high[i]) == pytest.approx(tuple(edges), rel=1e-9)
            assert one.held()[i] == (edges[0] <= true <= edges[1])
        spaced = draws[((np.arange(127) + 0.5) * 2000 / 127).astype(int)]
        assert one.ranks[LADDER.index(127)] == (spaced < true).sum()
        assert 1000 < one.ess < 4000  # independent draws: about 2000


def test_only_mcmc_is_asked_for_effective_draws(data):
    found = place(fit_of(data, kind="vi", chains=1), data, family("linear"), np.random.default_rng(0))
    assert {p.ess for p in found.values()} == {500.0}


def test_effective_draws_of_a_sticky_chain(data):
    """An AR(1) of coefficient 0.9 has (1 − 0.9)/(1 + 0.9) effective draws per draw."""
    rng, fit = np.random.default_rng(2), fit_of(data, draws=4000)
    noise = rng.standard_normal((4, 4000))
    chain = np.zeros((4, 4000))
    for t in range(1, 4000):
        chain[:, t] = 0.9 * chain[:, t - 1] + noise[:, t]
    fit.draws["bias"][:] = 0.01 * chain
    found = place(fit, data, family("linear"), rng)
    assert 0.6 * 16000 / 19 < found["bias"].ess < 1.6 * 16000 / 19  # tail ESS lies above that of the mean


def test_a_log_likelihood_that_is_not_finite_is_an_error(data):
    fit = fit_of(data)
    fit.draws["weights"][0, 0] = 1e300
    with pytest.raises(ValueError, match="not finite at 1 of 2000 draws"), np.errstate(all="ignore"):
        place(fit, data, family("linear"), np.random.default_rng(0))


def test_data_sets_differ_but_not_between_calls_and_never_in_their_design(data):
    chosen = scenario("s0-uniform")
    template = dataset(chosen, seed=0, rep=0)
    again = calibration_data(chosen, template, seed=0, number=3)
    other = calibration_data(chosen, template, seed=0, number=4)
    assert again.digest == data.digest != other.digest != template.digest
    np.testing.assert_array_equal(again.arrays["y"], data.arrays["y"])
    np.testing.assert_array_equal(other.arrays["x"], template.arrays["x"])
    assert not other.holdout and not other.predict
    with pytest.raises(NoReference, match="flat"):
        calibration_data(scenario("s4-linear"), dataset(scenario("s4-linear"), seed=0, rep=0), seed=0, number=0)

"""Observation laws of regressions against scipy.stats, and what a scenario may say of links, offsets and trials."""

import numpy as np
import pytest
from scipy import stats

from bench.catalog.scenarios import load, scenario
from bench.data import calibration_data, dataset, family
from bench.errors import UsageError
from scenarios.families.regression import links
from tests.scenarios.regressions import LAWS

TRIALS = np.array([1.0, 3.0, 12.0, 40.0, 7.0])
ETA = np.array([-2.5, -0.4, 0.0, 0.9, 3.1])
SCALES = {"negative_binomial": {"phi": np.array(2.7)}, "gamma": {"shape": np.array(1.8)}}


@pytest.fixture(params=LAWS)
def case(request):
    name, _, link = request.param.partition("-")
    scales = SCALES.get(name, {})
    return family(name).law.at(link, {"trials": TRIALS}), scales, LAWS[request.param](ETA, scales, TRIALS.astype(int))


def test_density_distribution_function_and_mean_are_scipys(case, rng):
    law, scales, exact = case
    y = exact.rvs((40, 5), random_state=rng).astype(float)
    log_p = exact.logpmf(y) if law.DISCRETE else exact.logpdf(y)
    np.testing.assert_allclose(law.log_prob(y, ETA, scales), log_p, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(law.mean(ETA), exact.mean(), rtol=1e-12)
    # between whole numbers too, below the support and above it
    for at in (y, y + 0.5, np.full_like(y, -1.0), np.full_like(y, 1e3)):
        np.testing.assert_allclose(law.cdf(at, ETA, scales), exact.cdf(at), rtol=1e-10, atol=1e-14)


def test_draws_follow_the_law(case, rng):
    law, scales, exact = case
    n = 4000
    y = np.stack([law.sample(ETA, scales, rng) for _ in range(n)])
    mean, variance, _, kurtosis = (np.asarray(m) for m in exact.stats("mvsk"))
    # Five standard errors of a mean, and of a variance about a mean that is itself off by up to five; seeds are fixed.
    assert np.all(np.abs(y.mean(axis=0) - mean) < 5 * np.sqrt(variance / n))
    assert np.all(np.abs(y.var(axis=0) - variance) < variance * (5 * np.sqrt((kurtosis + 2) / n) + 25 / n))


@pytest.mark.parametrize("eta", [-1e6, -800.0, 800.0, 1e6])
def test_nothing_overflows_however_far_out_the_predictor_lies(case, eta):
    law, scales, _ = case
    per_draw = {name: np.atleast_1d(value) for name, value in scales.items()}
    for y in (np.ones(5), TRIALS if law.COLUMNS == ("offset", "trials") else np.ones(5)):
        value, slope, of_scales = law.sums(y, np.full((1, 5), eta), per_draw)
        assert np.isfinite(value).all() and np.isfinite(slope).all()
        assert all(np.isfinite(v).all() for v in of_scales.values())
        assert np.isfinite(law.cdf(y, np.full(5, eta), scales)).all()
    assert np.isfinite(law.sample(np.full(5, eta), scales, np.random.default_rng(0))).all()


def test_counts_beyond_whole_floats_keep_mean_and_variance():
    eta = np.full(20_000, 40.0)
    y = family("poisson").law.sample(eta, {}, np.random.default_rng(1))
    rate = np.exp(40.0)
    assert abs(y.mean() - rate) < 5 * np.sqrt(rate / len(y))
    assert y.var() == pytest.approx(rate, rel=5 * np.sqrt(2 / len(y)))


def test_a_negative_binomial_of_huge_phi_is_poisson():
    """Γ(y + phi)/Γ(phi) by the difference of two logarithms of 2e9 would be off by 1e-7."""
    y, eta, phi = np.arange(30.0), np.full(30, 2.0), np.array(1e8)
    log_p = family("negative_binomial").law.log_prob(y, eta, {"phi": phi})
    # The first difference of the two laws is (y² − y(1 + 2mu) + mu²)/2phi: 30²/2e8.
    np.testing.assert_allclose(log_p, stats.poisson(np.exp(2.0)).logpmf(y), atol=5e-6)
    np.testing.assert_allclose(log_p, stats.nbinom(1e8, 1e8 / (1e8 + np.exp(2.0))).logpmf(y), atol=2e-6)


def test_probit_tails_keep_their_digits():
    probit, far = links.Probit(), np.array([-40.0, -12.0, 9.0])
    np.testing.assert_allclose(probit.log_cdf(far), stats.norm.logcdf(far), rtol=1e-13)
    np.testing.assert_allclose(probit.slope(far), np.exp(stats.norm.logpdf(far) - stats.norm.logcdf(far)), rtol=1e-11)


FILE = """
family = "binomial"
n_obs = 20
weights = [1.0, -1.0]
trials = [2, 9]
[priors]
weights = {normal = [0, 2.5]}
bias = {normal = [0, 2.5]}
"""


def load_text(tmp_path, text, overrides=None):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return load(file, overrides)


def test_rows_have_the_columns_that_the_scenario_says(tmp_path):
    data = dataset(load_text(tmp_path, FILE, {"offset": {"uniform": [-3, -1]}}), seed=0, rep=0)
    for arrays, n in ((data.arrays, 20), (data.holdout, 100)):
        assert set(arrays) == {"x", "y", "offset", "trials"} and arrays["x"].shape == (n, 2)
        assert set(arrays["trials"]) <= set(range(2, 10)) and len(set(arrays["trials"])) > 3
        assert np.all((arrays["offset"] > -3) & (arrays["offset"] < -1)) and np.all(arrays["y"] <= arrays["trials"])
    assert set(data.observed().skeleton().arrays) == set(data.arrays)
    drawn = calibration_data(scenario("binomial"), dataset(scenario("binomial"), seed=0, rep=0), seed=1, number=2)
    assert np.all(drawn.arrays["y"] <= drawn.arrays["trials"])


def test_an_offset_is_a_feature_whose_weight_is_one(tmp_path, rng):
    data = dataset(scenario("poisson-exposure"), seed=0, rep=0)
    fam, weights = family("poisson"), rng.normal(size=(4, 3))
    rate = np.exp(weights @ data.arrays["x"].T + 0.2 + data.arrays["offset"])
    draws = {"weights": weights, "bias": np.full(4, 0.2)}
    np.testing.assert_allclose(fam.predict(data, draws, data.arrays), rate, rtol=1e-12)
    np.testing.assert_allclose(
        fam.log_likelihood(data, draws, data.arrays), stats.poisson(rate).logpmf(data.arrays["y"]), rtol=1e-10
    )


def test_the_link_is_the_models_and_the_datas(tmp_path):
    usual, said, probit = (load_text(tmp_path, FILE, o) for o in ({}, {"link": "logit"}, {"link": "probit"}))
    assert [dataset(s, seed=0, rep=0).link for s in (usual, said, probit)] == ["", "", "probit"]
    assert dataset(usual, seed=0, rep=0).observed().skeleton().link == ""
    data = dataset(load_text(tmp_path, FILE, {"link": "probit", "n_obs": 20_000}), seed=0, rep=0)
    at = data.arrays["x"] @ [1.0, -1.0] > 2.0
    # P(success | predictor above 2) is at least Φ(2) = 0.977 by this link, at least 0.88 by the other and here 0.92.
    assert data.arrays["y"][at].sum() / data.arrays["trials"][at].sum() > 0.977


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("trials = [2, 9]\n", "", ["trials", "must be given"]),
        ("trials = [2, 9]", "trials = [9, 2]", ["trials", "at least 9"]),
        ("trials = [2, 9]", "trials = [1, 2, 3]", ["trials", "[least, most]"]),
        ("trials = [2, 9]", "trials = 0", ["trials", "at least 1"]),
        ("trials = [2, 9]", 'trials = 2\nlink = "log"', ["link", "logit, probit"]),
        ("trials = [2, 9]", "trials = 2\noffset = 1", ["offset", "table"]),
        ("trials = [2, 9]", "trials = 2\nphi = 1", ["phi"]),
        ('family = "binomial"', 'family = "poisson"', ["trials"]),
        ("weights = {normal = [0, 2.5]}", "weights = {exponential = 1}", ["priors.weights", "exponential"]),
    ],
)
def test_mistakes_name_their_key(tmp_path, old, new, words):
    assert old in FILE
    with pytest.raises(UsageError) as error:
        load_text(tmp_path, FILE.replace(old, new))
    for word in words:
        assert word in str(error.value)


@pytest.fixture
def csv(tmp_path):
    """A scenario with a data file beside it."""
    text = FILE.replace("n_obs = 20\nweights = [1.0, -1.0]\ntrials = [2, 9]\n", "")

    def load_csv(lines, family="binomial", extra=""):
        (tmp_path / "mine.csv").write_text("\n".join(lines))
        table = f'{extra}[data]\nfile = "mine.csv"\n[priors]'
        return load_text(tmp_path, text.replace('"binomial"', f'"{family}"').replace("[priors]", table))

    return load_csv


def test_a_data_file_may_have_offsets_and_trials(csv):
    lines = ["x0,x1,y,trials,offset", "0.5,1.5,2,4,0.1", "1.0,-1.0,0,3,0.2", "-1.0,2.0,5,5,0.3"]
    data = dataset(csv(lines), seed=0, rep=0)
    np.testing.assert_array_equal(data.arrays["x"], [[0.5, 1.5], [1.0, -1.0], [-1.0, 2.0]])
    assert [data.arrays[k].tolist() for k in ("y", "trials", "offset")] == [[2, 0, 5], [4, 3, 5], [0.1, 0.2, 0.3]]
    assert not any(array.flags.writeable for array in data.arrays.values())
    known = dataset(csv(lines, extra="weights = [1.0, 0.0]\nbias = 0.0\n"), seed=0, rep=0)
    # Rows of the hold-out have the columns of rows of the file.
    pairs = set(zip(known.holdout["trials"], known.holdout["offset"], strict=True))
    assert pairs == {(4.0, 0.1), (3.0, 0.2), (5.0, 0.3)}


@pytest.mark.parametrize(
    ("header", "row", "family", "words"),
    [
        ("x0,y,trials", "1,5,4", "binomial", "from 0 to its trials"),
        ("x0,y", "1,2", "binomial", "from 0 to its trials"),
        ("x0,y,weight", "1,1,1", "binomial", "header"),
        ("x0,y,offset,offset", "1,1,1,1", "poisson", "header"),
        ("x0,y,trials", "1,1,4", "poisson", "it has trials"),
        ("x0,y", "1,1.5", "poisson", "counts"),
        ("x0,y", "1,-1", "negative_binomial", "counts"),
        ("x0,y", "1,0", "gamma", "above 0"),
    ],
)
def test_observations_that_a_law_cannot_make_are_refused(csv, header, row, family, words):
    with pytest.raises(UsageError, match=words):
        csv([header, row], family)

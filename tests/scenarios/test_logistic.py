"""Density, prediction, data and optima of the family `logistic` against independent computations."""

import numpy as np
import pytest
from scipy import optimize, stats

from bench.catalog.scenarios import load
from bench.data import dataset
from bench.errors import UsageError
from bench.types import Prior
from scenarios.families.regression import regression
from scenarios.families.regression.logistic import FAMILY as logistic
from tests.conftest import ROOT
from tests.scenarios import regressions

NORMAL, STUDENT, CAUCHY = Prior("normal", (0.5, 2.5)), Prior("student_t", (3.0, 0.0, 2.0)), Prior("cauchy", (0.1, 2.5))
FILE = """
family = "logistic"
n_obs = 20
weights = [1.0, -1.0]
[priors]
weights = {normal = [0, 2.5]}
bias = {normal = [0, 2.5]}
"""


@pytest.fixture
def table(rng):
    x = rng.standard_normal((25, 2))
    return x, (rng.random(25) < 1 / (1 + np.exp(-x @ [1.5, -0.8]))).astype(float)


def log_joint(data, z):
    """From scipy.stats only."""
    x, y = data.arrays["x"], data.arrays["y"]
    eta = x @ z[:2] + (z[2] if "bias" in data.names else 0.0)
    total = stats.bernoulli(1 / (1 + np.exp(-eta))).logpmf(y).sum()
    total += regressions.logpdf(data.priors["weights"], z[:2]).sum()
    return total + (regressions.logpdf(data.priors["bias"], z[2]) if "bias" in data.names else 0.0)


@pytest.mark.parametrize(("weights", "bias"), [(NORMAL, NORMAL), (STUDENT, CAUCHY), (CAUCHY, None)])
def test_log_density_is_scipys_and_the_gradient_its_slope(weights, bias, table, rng):
    data = regressions.logistic(*table, weights, bias)
    z = rng.uniform(-2, 2, (2, 3, data.dim))
    value, gradient = logistic.log_density(data, z)
    assert value.shape == (2, 3) and gradient.shape == z.shape
    for index in np.ndindex(2, 3):
        assert value[index] == pytest.approx(log_joint(data, z[index]), rel=1e-12)
        # Central differences of some 50 nats: h² of truncation and 1e-16·50/h of rounding, both about 1e-9.
        numeric = optimize.approx_fprime(z[index], lambda u: log_joint(data, u), 1e-6)
        forward = optimize.approx_fprime(z[index], lambda u: log_joint(data, u), -1e-6)
        np.testing.assert_allclose(gradient[index], 0.5 * (numeric + forward), rtol=1e-6, atol=1e-7)


def test_far_from_the_data_a_row_costs_its_predictor_and_nothing_overflows():
    x = np.array([[1.0], [2.0], [-3.0]])
    data = regressions.logistic(x, np.array([0.0, 0.0, 1.0]), Prior("normal", (0.0, 1e6)))
    value, gradient = logistic.log_density(data, np.array([[1e5], [-1e5]]))
    prior = stats.norm(0.0, 1e6)
    # Every row is wrong by its predictor at +1e5, and right beyond rounding at −1e5: log(1 + exp(−1e5)) = 0.
    np.testing.assert_allclose(value, [prior.logpdf(1e5) - 6e5, prior.logpdf(1e5)], rtol=1e-14)
    np.testing.assert_allclose(gradient[:, 0], [-6.0 - 1e-7, 1e-7], rtol=1e-9)


def test_separable_data_have_a_finite_density_and_optimum():
    x = np.linspace(-2.0, 2.0, 12)[:, None]
    data = regressions.logistic(x, (x[:, 0] > 0).astype(float), CAUCHY, CAUCHY)
    value, gradient = logistic.log_density(data, np.array([[1e4, 0.0], [-1e4, 1e3]]))
    assert np.isfinite(value).all() and np.isfinite(gradient).all()
    best, least = logistic.optimum(data, "map")
    for shift in 0.05 * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]):
        there = {"weights": best["weights"] + shift[:1], "bias": best["bias"] + shift[1]}
        assert logistic.objective(data, "map", there) > least


def test_chunks_change_nothing(table, rng, monkeypatch):
    data = regressions.logistic(*table, NORMAL, NORMAL)
    z = rng.uniform(-2, 2, (17, 3))
    whole = logistic.log_density(data, z)
    monkeypatch.setattr(regression, "CHUNK", 60)
    for a, b in zip(whole, logistic.log_density(data, z), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


def test_prediction_likelihood_and_distribution_function_are_bernoullis(table, rng):
    data = regressions.logistic(*table, NORMAL, NORMAL)
    draws = logistic.constrain(data, rng.uniform(-2, 2, (4, 3, 3)))
    new = {"x": rng.standard_normal((4, 2)), "y": np.array([0.0, 1.0, 0.5, -0.5])}
    eta = np.einsum("csj,nj->csn", draws["weights"], new["x"]) + draws["bias"][..., None]
    p = 1 / (1 + np.exp(-eta))
    np.testing.assert_allclose(logistic.predict(data, draws, new), p, rtol=1e-13)
    np.testing.assert_allclose(logistic.observation_cdf(data, draws, new), stats.bernoulli(p).cdf(new["y"]), rtol=1e-12)
    binary = {**new, "y": np.array([0.0, 1.0, 1.0, 0.0])}
    expected = stats.bernoulli(p).logpmf(binary["y"].astype(int))
    np.testing.assert_allclose(logistic.log_likelihood(data, draws, binary), expected, rtol=1e-12)


@pytest.mark.parametrize("priors", [(NORMAL, NORMAL), (STUDENT, CAUCHY)])
def test_optimum_is_where_an_independent_optimiser_ends(priors, table):
    data = regressions.logistic(*table, *priors)
    found = optimize.minimize(lambda z: -log_joint(data, z), np.zeros(3), method="BFGS", options={"gtol": 1e-6})
    for name in ("map", "map_unconstrained"):
        best, least = logistic.optimum(data, name)
        # BFGS on numeric slopes ends within 1e-5; the value is then right to its square.
        np.testing.assert_allclose([*best["weights"], best["bias"]], found.x, atol=1e-4)
        assert least == pytest.approx(found.fun, abs=1e-8)
        assert least <= found.fun + 1e-12
        assert logistic.objective(data, name, best) == least


def test_there_is_no_least_squares(table):
    data = regressions.logistic(*table, NORMAL, NORMAL)
    with pytest.raises(ValueError, match="least_squares"):
        logistic.optimum(data, "least_squares")
    with pytest.raises(ValueError, match="least_squares"):
        logistic.objective(data, "least_squares", {"weights": np.zeros(2), "bias": np.array(0.0)})


def load_text(tmp_path, text, overrides=None):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    if not (data := tmp_path / "data").exists():
        data.symlink_to(ROOT / "scenarios" / "data")
    return load(file, overrides)


def test_generated_observations_have_their_probabilities(tmp_path):
    data = dataset(load_text(tmp_path, FILE, {"n_obs": 40_000, "bias": -1.0}), seed=3, rep=0)
    x, y = data.arrays["x"], data.arrays["y"]
    assert set(np.unique(y)) == {0.0, 1.0} and data.truth["bias"] == -1.0
    p = 1 / (1 + np.exp(-(x @ [1.0, -1.0] - 1.0)))
    for part in (p < 0.2, (p > 0.2) & (p < 0.6), p > 0.6):
        # A sum of independent Bernoullis: five of its standard errors.
        assert abs((y - p)[part].sum()) < 5 * np.sqrt((p * (1 - p))[part].sum())
    held = data.holdout
    assert held["x"].shape == (1000, 2) and set(np.unique(held["y"])) == {0.0, 1.0}


def test_prior_predictive_draws_truth_and_zeros_and_ones(table):
    data = regressions.logistic(*table, Prior("normal", (0.0, 1.0)), Prior("normal", (3.0, 0.1)))
    drawn = [logistic.prior_predictive(data, np.random.default_rng(s)) for s in range(300)]
    weights = np.array([truth["weights"] for truth, _ in drawn])
    assert abs(weights.mean()) < 5 / np.sqrt(600) and abs(weights.var() - 1.0) < 5 * np.sqrt(2 / 600)
    p = np.array([logistic.predict(data, truth, data.arrays) for truth, _ in drawn])
    y = np.array([arrays["y"] for _, arrays in drawn])
    assert abs((y - p).sum()) < 5 * np.sqrt((p * (1 - p)).sum())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("n_obs = 20", "n_obs = 20\nnoise = 1.0", ["noise", "n_obs"]),
        ("n_obs = 20\n", "", ["n_obs", "must be given"]),
        ("weights = {normal = [0, 2.5]}", "weights = {exponential = 1}", ["priors.weights", "exponential", "cauchy"]),
        ("bias = {normal = [0, 2.5]}", "", ["priors.bias", "must be given"]),
        ("[priors]", '[data]\nfile = "data/s0.csv"\n[priors]', ["n_obs", "s0.csv"]),
    ],
)
def test_mistakes_name_their_key(tmp_path, old, new, words):
    assert old in FILE
    with pytest.raises(UsageError) as error:
        load_text(tmp_path, FILE.replace(old, new))
    for word in words:
        assert word in str(error.value)


def test_a_data_file_must_hold_zeros_and_ones(tmp_path):
    text = FILE.replace("n_obs = 20\n", "").replace("[priors]", '[data]\nfile = "data/s0.csv"\n[priors]')
    with pytest.raises(UsageError, match="0 or 1"):
        load_text(tmp_path, text)

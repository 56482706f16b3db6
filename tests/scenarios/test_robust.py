"""Density, prediction, data and optima of the family `robust` against independent computations."""

import numpy as np
import pytest
from scipy import optimize, stats

from bench.catalog.scenarios import load, scenario
from bench.data import dataset, family
from bench.errors import UsageError
from bench.types import Prior
from scenarios.families.regression.robust import FAMILY as robust
from tests.conftest import ROOT
from tests.scenarios import regressions

WIDE, CAUCHY = Prior("normal", (0.5, 10.0)), Prior("cauchy", (0.0, 2.5))
STUDENT, FOUR = Prior("student_t", (3.0, 0.0, 1.0)), Prior("known", (4.0,))
MODELS = {
    "known-df": (WIDE, WIDE, Prior("exponential", (2.0,)), FOUR),
    "exponential-df": (STUDENT, CAUCHY, Prior("half_cauchy", (1.0,)), Prior("exponential", (0.1,))),
    "log-normal-df": (WIDE, None, Prior("uniform", (0.1, 5.0)), Prior("log_normal", (1.0, 0.7))),
    "uniform-df": (CAUCHY, WIDE, Prior("known", (0.7,)), Prior("uniform", (1.0, 30.0))),
    "flat-sigma": (WIDE, WIDE, Prior("flat"), Prior("half_normal", (10.0,))),
}
FILE = """
family = "robust"
n_obs = 20
weights = [1.0, -1.0]
noise = 0.5
[priors]
weights = {normal = [0, 2.5]}
bias = {normal = [0, 2.5]}
sigma = {exponential = 1}
"""


@pytest.fixture
def table(rng):
    x = rng.standard_normal((25, 2))
    return x, x @ [1.5, -0.8] + 0.3 + 0.6 * rng.standard_t(3.0, 25)


def log_joint(data, params):
    """Natural space, from scipy.stats only."""
    known = {name: prior.args[0] for name, prior in data.priors.items() if prior.name == "known"}
    values = {"bias": 0.0, **known, **params}
    centre = data.arrays["x"] @ values["weights"] + values["bias"]
    total = stats.t.logpdf(data.arrays["y"], values["df"], centre, values["sigma"]).sum()
    return total + sum(np.sum(regressions.logpdf(data.priors[name], params[name])) for name in data.names)


def unconstrained(data, z):
    """With the Jacobian by finite differences of the transform."""
    total = log_joint(data, robust.constrain(data, z))
    for p in data.parameters:
        if np.isfinite(p.lower):
            up, down = (robust.constrain(data, z + s * 1e-6)[p.name] for s in (1.0, -1.0))
            total += np.log((up - down) / 2e-6)
    return total


@pytest.mark.parametrize("model", MODELS)
def test_log_density_is_scipys_and_the_gradient_its_slope(model, table, rng):
    data = regressions.robust(*table, *MODELS[model])
    z = rng.uniform(-2, 2, (2, 3, data.dim))
    value, gradient = robust.log_density(data, z)
    assert value.shape == (2, 3) and gradient.shape == z.shape
    steps = 1e-4 * np.eye(data.dim)
    for index in np.ndindex(2, 3):
        # The Jacobian here is a central difference: about eps/h = 1e-10 of it.
        assert value[index] == pytest.approx(unconstrained(data, z[index]), rel=1e-9)
        at = z[index]
        near = np.array([unconstrained(data, at + s) - unconstrained(data, at - s) for s in steps]) / 2e-4
        far = np.array([unconstrained(data, at + 2 * s) - unconstrained(data, at - 2 * s) for s in steps]) / 4e-4
        # Richardson leaves h⁴ of truncation and 1e-10/h of rounding.
        np.testing.assert_allclose(gradient[index], (4 * near - far) / 3, rtol=1e-5, atol=1e-5)


def test_an_observation_far_out_changes_the_answer_by_nothing(table):
    x, y = table
    answers = []
    for outlier in (1e3, 1e9):
        data = regressions.robust(x, np.append(y[:-1], outlier), *MODELS["known-df"])
        answers.append(robust.optimum(data, "map")[0]["weights"])
        assert np.isfinite(robust.log_density(data, np.zeros((1, 4)))[1]).all()
    # Its pull on the centre is (df + 1)/distance: 5e-3 of sigma's inverse, against curvatures of some 20.
    np.testing.assert_allclose(answers[0], answers[1], atol=2e-3)


def test_prediction_likelihood_and_distribution_function_are_student_ts(table, rng):
    new = {"x": rng.standard_normal((4, 2)), "y": rng.standard_normal(4) * 5}
    for model in MODELS:
        data = regressions.robust(*table, *MODELS[model])
        draws = robust.constrain(data, rng.uniform(-2, 2, (4, 3, data.dim)))
        centre = np.einsum("csj,nj->csn", draws["weights"], new["x"])
        centre += draws["bias"][..., None] if "bias" in draws else 0.0
        sigma = draws["sigma"][..., None] if "sigma" in draws else 0.7
        df = draws["df"][..., None] if "df" in draws else 4.0
        expected = stats.t(df, centre, sigma)
        np.testing.assert_allclose(robust.predict(data, draws, new), centre, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(robust.log_likelihood(data, draws, new), expected.logpdf(new["y"]), rtol=1e-10)
        np.testing.assert_allclose(robust.observation_cdf(data, draws, new), expected.cdf(new["y"]), rtol=1e-9)


@pytest.mark.parametrize("model", ["known-df", "exponential-df"])
@pytest.mark.parametrize("name", ["map", "map_unconstrained"])
def test_optimum_is_where_an_independent_optimiser_ends(model, name, table):
    data = regressions.robust(*table, *MODELS[model])

    def target(z):
        return -(log_joint(data, robust.constrain(data, z)) if name == "map" else unconstrained(data, z))

    starts = np.random.default_rng(1).uniform(-1, 1, (2, data.dim))
    found = min((optimize.minimize(target, start, method="BFGS") for start in starts), key=lambda end: end.fun)
    best, least = robust.optimum(data, name)
    # BFGS on numeric slopes ends within 1e-4 of a minimum, so 1e-8 nats times curvatures of some hundred above it.
    assert least <= found.fun + 1e-8
    assert least == pytest.approx(found.fun, abs=1e-5)
    assert robust.objective(data, name, best) == pytest.approx(target(robust.unconstrain(data, best)), abs=1e-8)


def test_there_is_no_least_squares_and_no_density_outside_the_support(table):
    data = regressions.robust(*table, *MODELS["known-df"])
    at = {"weights": np.zeros(2), "bias": np.array(0.0), "sigma": np.array(-1.0)}
    assert robust.objective(data, "map", at) == np.inf
    with pytest.raises(ValueError, match="least_squares"):
        robust.optimum(data, "least_squares")


def load_text(tmp_path, text, overrides=None):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    if not (data := tmp_path / "data").exists():
        data.symlink_to(ROOT / "scenarios" / "data")
    return load(file, overrides)


def test_df_is_known_and_four_where_nothing_is_said(tmp_path):
    made = load_text(tmp_path, FILE)
    assert made.priors["df"] == FOUR and made.settings["df"] == 4.0
    assert dataset(made, seed=0, rep=0).names == ("weights", "bias", "sigma")
    learned = load_text(tmp_path, FILE, {"priors.df": {"exponential": 0.1}})
    assert dataset(learned, seed=0, rep=0).names == ("weights", "bias", "sigma", "df")


def test_generated_noise_is_student_t(tmp_path):
    data = dataset(load_text(tmp_path, FILE, {"n_obs": 20_000, "df": 2.0}), seed=3, rep=0)
    noise = (data.arrays["y"] - data.arrays["x"] @ [1.0, -1.0]) / 0.5
    # Kolmogorov–Smirnov of the right law, and of one with other tails; the seed is fixed.
    assert stats.kstest(noise, stats.t(2.0).cdf).pvalue > 1e-3
    assert stats.kstest(noise, stats.t(3.0).cdf).pvalue < 1e-6


def test_prior_predictive_has_the_noise_of_its_own_df(table):
    data = regressions.robust(*table, WIDE, WIDE, Prior("exponential", (1.0,)), Prior("uniform", (1.0, 3.0)))
    ranks = []
    for seed in range(200):
        truth, arrays = robust.prior_predictive(data, np.random.default_rng(seed))
        ranks.append(stats.t(truth["df"], scale=truth["sigma"]).cdf(arrays["y"] - robust.predict(data, truth, arrays)))
        assert 1.0 < truth["df"] < 3.0
    assert stats.kstest(np.ravel(ranks), "uniform").pvalue > 1e-3


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("noise = 0.5", "noise = 0.5\ndf = 0", ["df", "greater than 0"]),
        ("noise = 0.5\n", "", ["noise", "must be given"]),
        ("sigma = {exponential = 1}", 'sigma = {exponential = 1}\ndf = "flat"', ["priors.df", "known"]),
        ("sigma = {exponential = 1}", "sigma = {exponential = 1}\ndf = {uniform = [-1, 3]}", ["priors.df", "low"]),
        ("sigma = {exponential = 1}", "", ["priors.sigma", "must be given"]),
        ("weights = {normal = [0, 2.5]}", "weights = {exponential = 1}", ["priors.weights", "exponential"]),
    ],
)
def test_mistakes_name_their_key(tmp_path, old, new, words):
    assert old in FILE
    with pytest.raises(UsageError) as error:
        load_text(tmp_path, FILE.replace(old, new))
    for word in words:
        assert word in str(error.value)


def test_a_data_file_can_be_fitted_robustly(tmp_path):
    text = FILE.replace("n_obs = 20\n", "").replace("weights = [1.0, -1.0]\nnoise = 0.5\n", "")
    data = dataset(
        load_text(tmp_path, text.replace("[priors]", '[data]\nfile = "data/s0.csv"\n[priors]')), seed=0, rep=0
    )
    assert data.arrays["x"].shape == (50, 2) and data.truth == {} and data.holdout == {}


def test_notes_name_what_is_misspecified():
    made = scenario("robust", {"priors.df": {"known": 30}})
    assert any("df = 30" in note for note in family("robust").notes(made))
    assert family("robust").notes(scenario("robust")) == ()

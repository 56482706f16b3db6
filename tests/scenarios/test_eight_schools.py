"""The family `eight_schools` against scipy densities, dense Gaussian algebra under quadrature, and simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from scipy import optimize, special, stats

from bench.catalog.scenarios import load, scenario
from bench.data import dataset
from bench.errors import NoReference, ScenarioError
from bench.types import Array, Dataset, Parameter, Prior
from scenarios.families.common import transforms
from scenarios.families.hierarchy.eight_schools import FAMILY as eight_schools

SCIPY: Mapping[str, Any] = {
    "normal": stats.norm,
    "uniform": lambda low, high: stats.uniform(low, high - low),
    "exponential": lambda rate: stats.expon(scale=1 / rate),
    "half_normal": lambda scale: stats.halfnorm(scale=scale),
    "half_cauchy": lambda scale: stats.halfcauchy(scale=scale),
    "log_normal": lambda loc, scale: stats.lognorm(scale, scale=np.exp(loc)),
}
Y = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERRORS = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
MU = Prior("normal", (2.0, 5.0))
TAUS = [
    Prior("half_cauchy", (5.0,)),
    Prior("half_normal", (6.0,)),
    Prior("exponential", (0.2,)),
    Prior("uniform", (0.0, 30.0)),
    Prior("uniform", (2.0, 9.0)),
    Prior("log_normal", (1.0, 0.8)),
]
MODELS = [(MU, tau) for tau in TAUS] + [(Prior("flat"), TAUS[0])]
IDS = [f"{m.name}-{t}" for m, t in MODELS]
CENTRED = pytest.mark.parametrize("centred", [False, True], ids=["non-centred", "centred"])


def make(mu: Prior, tau: Prior, *, schools: int = 8, centred: bool = False) -> Dataset:
    bounds = tau.args if tau.name == "uniform" else (0.0, np.inf)
    first = (Parameter("mu"), Parameter("tau", (), *bounds))
    sites = () if centred else (*first, Parameter("eta", (schools,)))
    arrays = {"y": Y[:schools], "errors": ERRORS[:schools]}
    parameters = (*first, Parameter("theta", (schools,)))
    return Dataset("eight_schools", parameters, arrays, {"mu": mu, "tau": tau}, coordinates=sites)


def scipy_log_joint(data: Dataset, sites: Mapping[str, Array]) -> float:
    """Of one point, sites on their natural scale, from scipy.stats only."""
    mu, tau = float(sites["mu"]), float(sites["tau"])
    if "eta" in sites:
        theta, total = mu + tau * sites["eta"], stats.norm.logpdf(sites["eta"]).sum()
    else:
        theta, total = sites["theta"], stats.norm(mu, tau).logpdf(sites["theta"]).sum()
    total += stats.norm(theta, data.arrays["errors"]).logpdf(data.arrays["y"]).sum()
    for name, value in (("mu", mu), ("tau", tau)):
        prior = data.priors[name]
        total += 0.0 if prior.name == "flat" else SCIPY[prior.name](*prior.args).logpdf(value)
    return float(total)


@CENTRED
@pytest.mark.parametrize(("mu", "tau"), MODELS, ids=IDS)
def test_log_density_is_scipys_with_the_jacobian(mu: Prior, tau: Prior, centred: bool) -> None:
    data = make(mu, tau, centred=centred)
    z = np.random.default_rng(1).uniform(-2, 2, (2, 3, data.dim))
    values, gradients = eight_schools.log_density(data, z)
    assert values.shape == (2, 3) and gradients.shape == z.shape
    p = data.parameter("tau")
    for at in np.ndindex(2, 3):
        sites = transforms.constrain(data.sites, z[at])
        up, down = (transforms.to_natural(z[at][1] + h, p.lower, p.upper) for h in (1e-6, -1e-6))
        # The Jacobian here is a central difference: about eps/h = 1e-10.
        expected = scipy_log_joint(data, sites) + np.log((up - down) / 2e-6)
        assert values[at] == pytest.approx(expected, rel=1e-9, abs=1e-9)
        for i, h in enumerate(1e-5 * np.eye(data.dim)):
            # Central differences err by h² of a third derivative and 1e-16·value/h: 1e-8 of slopes of up to 1e3.
            slope = (
                eight_schools.log_density(data, z[at] + h)[0] - eight_schools.log_density(data, z[at] - h)[0]
            ) / 2e-5
            assert gradients[at][i] == pytest.approx(slope, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("mu", "tau"), MODELS, ids=IDS)
def test_parametrisations_differ_by_the_change_of_variables(mu: Prior, tau: Prior) -> None:
    free, centred = make(mu, tau), make(mu, tau, centred=True)
    z = np.random.default_rng(2).uniform(-2, 2, (5, free.dim))
    draws = eight_schools.constrain(free, z)
    other = eight_schools.unconstrain(centred, draws)
    # theta = mu + tau·eta has the Jacobian tau^J, tau itself the same coordinate in both.
    expected = eight_schools.log_density(centred, other)[0] + 8 * np.log(draws["tau"])
    np.testing.assert_allclose(eight_schools.log_density(free, z)[0], expected, rtol=1e-12)


@CENTRED
def test_sites_and_draws_are_there_and_back(centred: bool) -> None:
    data = make(MU, TAUS[0], centred=centred)
    z = np.random.default_rng(3).uniform(-2, 2, (4, 3, data.dim))
    draws = eight_schools.constrain(data, z)
    assert {k: v.shape for k, v in draws.items()} == {"mu": (4, 3), "tau": (4, 3), "theta": (4, 3, 8)}
    np.testing.assert_allclose(eight_schools.unconstrain(data, draws), z, atol=1e-12)
    sites = eight_schools.to_sites(data, draws)
    assert tuple(sites) == ("mu", "tau", "theta" if centred else "eta")
    back = eight_schools.from_sites(data, sites)
    assert tuple(back) == data.names
    np.testing.assert_allclose(back["theta"], draws["theta"], atol=1e-12)


class Dense:
    """Everything given tau by dense joint normals of (mu, theta, y), at Gauss–Legendre nodes of tau itself."""

    def __init__(self, data: Dataset, upto: float = np.inf) -> None:
        prior = data.priors["tau"]
        low, high = prior.args if prior.name == "uniform" else (0.0, 1e6)
        high = min(high, upto)
        inner = np.concatenate([np.linspace(0.1, 3.0, 30), np.geomspace(3.2, 1e6, 80)])
        edges = np.concatenate([[low], inner[(inner > low) & (inner < high)], [high]])
        x, w = np.polynomial.legendre.leggauss(12)
        half = np.diff(edges)[:, None] / 2
        self.tau, weights = (edges[:-1, None] + half + half * x).ravel(), (half * w).ravel()
        loc, scale = data.priors["mu"].args
        y, errors = data.arrays["y"], data.arrays["errors"]
        n = len(y)
        joint = np.full((len(self.tau), n + 1, n + 1), scale**2)
        joint[:, np.arange(1, n + 1), np.arange(1, n + 1)] += self.tau[:, None] ** 2
        marginal = joint[:, 1:, 1:] + np.diag(errors**2)
        gain = np.swapaxes(np.linalg.solve(marginal, joint[:, 1:]), 1, 2)
        self.mean, self.covariance = loc + gain @ (y - loc), joint - gain @ joint[:, 1:]
        squares = np.linalg.solve(marginal, np.broadcast_to((y - loc)[:, None], (len(self.tau), n, 1)))[..., 0] @ (
            y - loc
        )
        log_p = -0.5 * (squares + np.linalg.slogdet(2 * np.pi * marginal)[1])
        self.mass = weights * np.exp(log_p) * SCIPY[prior.name](*prior.args).pdf(self.tau)
        self.total = float(self.mass.sum())

    def average(self, values: Array) -> Array:
        """Posterior mean over tau of values (K, ...)."""
        return np.tensordot(self.mass, values, 1) / self.total


@pytest.mark.parametrize(("tau", "schools"), [(t, 8) for t in TAUS] + [(t, 2) for t in TAUS[1:]], ids=str)
def test_evidence_and_moments_match_dense_algebra(tau: Prior, schools: int) -> None:
    data = make(MU, tau, schools=schools)
    found, brute = eight_schools.reference(data), Dense(data)
    # Twelve nodes a panel leave rounding; an error of the log is one of the value.
    assert found.log_evidence == pytest.approx(np.log(brute.total), abs=1e-10)
    centre = np.column_stack([brute.mean, brute.tau])
    variance = np.column_stack([np.diagonal(brute.covariance, axis1=1, axis2=2), np.zeros_like(brute.tau)])
    mean = brute.average(centre)
    away = centre - mean
    second = brute.average(variance + away**2)
    fourth = brute.average(3 * variance**2 + 6 * variance * away**2 + away**4)

    def flat(values: Mapping[str, Array]) -> Array:
        return np.concatenate([[values["mu"]], values["theta"], [values["tau"]]])

    np.testing.assert_allclose(flat(found.mean), mean, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(flat(found.sd) ** 2, second, rtol=1e-10)
    # The fourth moment under a Cauchy prior and eight schools falls like tau⁻⁴ beyond the last panel at 1e6.
    np.testing.assert_allclose(flat(found.centred_square_variance), fourth - second**2, rtol=1e-8)


def test_evidence_of_a_flat_mean_is_the_limit_of_a_wide_one() -> None:
    # N(0, s²) with its density at 0 taken out; s = 1e5 leaves (y/s)² = 1e-8 of it.
    wide, flat = (eight_schools.reference(make(mu, TAUS[0])) for mu in (Prior("normal", (0.0, 1e5)), Prior("flat")))
    limit = wide.log_evidence + np.log(1e5 * np.sqrt(2 * np.pi))
    assert flat.log_evidence == pytest.approx(limit, abs=1e-7)
    np.testing.assert_allclose(flat.mean["theta"], wide.mean["theta"], rtol=1e-6)


@pytest.mark.parametrize("tau", [TAUS[0], TAUS[1], TAUS[4]], ids=str)
def test_distribution_functions_and_quantiles_match_dense_algebra(tau: Prior) -> None:
    data = make(MU, tau)
    found, brute = eight_schools.reference(data), Dense(data)
    levels = np.array([0.003, 0.2, 0.5, 0.9, 0.999])
    x = np.column_stack([found.quantile("mu", levels), found.quantile("theta", levels)])
    sd = np.sqrt(np.diagonal(brute.covariance, axis1=1, axis2=2))
    below = brute.average(special.ndtr((x - brute.mean[:, None]) / sd[:, None]))
    np.testing.assert_allclose(below, levels[:, None] + np.zeros(9), atol=1e-10)
    np.testing.assert_allclose(found.cdf("theta", x[:, 1:]), below[:, 1:], atol=1e-10)
    x = found.quantile("tau", levels)
    below = np.array([Dense(data, upto=float(v)).total for v in x]) / brute.total
    np.testing.assert_allclose(below, levels, atol=1e-9)  # a spline of the density: 1e-10
    np.testing.assert_allclose(found.cdf("tau", x), levels, atol=1e-12)


def test_exact_draws_follow_their_marginals_and_covariance() -> None:
    data = make(MU, TAUS[0])
    found, brute, n = eight_schools.reference(data), Dense(data), 20_000
    draws = found.draw(n, np.random.default_rng(4))
    for name in data.names:
        for column in found.cdf(name, draws[name][:4000]).reshape(4000, -1).T:
            assert stats.kstest(column, "uniform").pvalue > 1e-4  # ten tests at a fixed seed
    away = brute.mean - brute.average(brute.mean)
    expected = brute.average(brute.covariance + away[:, :, None] * away[:, None, :])
    stacked = np.column_stack([draws["mu"], draws["theta"]])
    sd = np.sqrt(np.diag(expected))
    # The standard error of a correlation is at most 1/√n times some 2 for these tails; five of those.
    np.testing.assert_allclose(np.cov(stacked.T) / np.outer(sd, sd), expected / np.outer(sd, sd), atol=10 / np.sqrt(n))
    # tau and the spread of theta go together: E[tau·(theta₁ − mu)²] by the dense rule.
    gap = brute.mean[:, 1] - brute.mean[:, 0]
    spread = brute.covariance[:, 0, 0] + brute.covariance[:, 1, 1] - 2 * brute.covariance[:, 0, 1]
    drawn = draws["tau"] * (draws["theta"][:, 0] - draws["mu"]) ** 2
    assert abs(drawn.mean() - brute.average(brute.tau * (spread + gap**2))) < 5 * drawn.std() / np.sqrt(n)


def test_probability_of_being_the_largest() -> None:
    data = make(MU, TAUS[1], schools=2)
    brute = Dense(data)
    difference = brute.mean[:, 1] - brute.mean[:, 2]
    spread = brute.covariance[:, 1, 1] + brute.covariance[:, 2, 2] - 2 * brute.covariance[:, 1, 2]
    # At the least node, tau = 5e-4, the spread is a difference of numbers 1e7 times as large: 1e-9 of it.
    expected = float(brute.average(special.ndtr(difference / np.sqrt(spread))))
    exact: Any = eight_schools.reference(data)
    np.testing.assert_allclose(exact.derived()["largest"].mean, [expected, 1 - expected], atol=1e-9)
    full = make(MU, TAUS[0])
    reference: Any = eight_schools.reference(full)
    events = eight_schools.derived(full, reference.draw(20_000, np.random.default_rng(6)))["largest"]
    p = reference.derived()["largest"].mean
    assert events.dtype == np.bool_ and p.sum() == pytest.approx(1.0, abs=1e-12)
    assert np.all(np.abs(events.mean(0) - p) < 5 * np.sqrt(p * (1 - p) / 20_000))


def test_a_few_schools_under_a_heavy_tail_have_no_fourth_moment() -> None:
    with pytest.raises(NoReference, match="tau is improper or lacks a fourth moment"):
        eight_schools.reference(make(Prior("flat"), TAUS[0], schools=3))


def descend(data: Dataset, name: str) -> float:
    """The least value that descents in z from three starts reach, by the gradient of the density alone."""

    def f(z: Array) -> tuple[float, Array]:
        value, gradient = eight_schools.log_density(data, z)
        if name == "map":
            log_jacobian, slope = transforms.log_jacobians(data.sites, z)
            return float(log_jacobian.sum() - value), slope - gradient
        return -float(value), -gradient

    rng = np.random.default_rng(7)
    starts = [np.concatenate([[5 * rng.standard_normal(), u], rng.uniform(-2, 2, 8)]) for u in np.linspace(-4, 4, 3)]
    found = [
        optimize.minimize(f, z, jac=True, method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-8}) for z in starts
    ]
    return float(min(one.fun for one in found))


@pytest.mark.parametrize("name", ["map", "map_unconstrained"])
@pytest.mark.parametrize(("mu", "tau"), MODELS, ids=IDS)
def test_optimum_is_the_least_that_descents_find(mu: Prior, tau: Prior, name: str) -> None:
    data = make(mu, tau)
    best, least = eight_schools.optimum(data, name)
    assert least == pytest.approx(eight_schools.objective(data, name, best), abs=1e-12)
    reached = descend(data, name)
    # Where the mode lies at a bound of tau, descents in its logarithm only come close to it from above.
    assert least <= reached + 1e-9
    assert reached == pytest.approx(least, abs=2e-3 if best["tau"] in (0.0, 2.0, 9.0, 30.0) else 1e-6)
    if name == "map":
        sites = eight_schools.to_sites(data, best)
        assert least == pytest.approx(-scipy_log_joint(data, sites), abs=1e-9)


def test_the_mode_of_rubins_data_lies_at_tau_0_and_a_centred_model_has_none() -> None:
    data = make(Prior("normal", (0.0, 5.0)), TAUS[0])
    best, least = eight_schools.optimum(data, "map")
    assert best["tau"] == 0.0 and np.all(best["theta"] == best["mu"])
    precision = np.sum(1 / ERRORS**2) + 1 / 25
    assert best["mu"] == pytest.approx(np.sum(Y / ERRORS**2) / precision, rel=1e-12)
    near = {name: np.asarray(value) for name, value in (best | {"tau": np.array(1e-3)}).items()}
    assert eight_schools.objective(data, "map", near) > least
    assert eight_schools.objective(data, "map", best | {"tau": np.array(-1e-3)}) == np.inf
    centred = make(Prior("normal", (0.0, 5.0)), TAUS[0], centred=True)
    for name in ("map", "map_unconstrained"):
        with pytest.raises(NoReference, match="unbounded as tau goes to 0"):
            eight_schools.optimum(centred, name)
    with pytest.raises(ValueError, match="least_squares"):
        eight_schools.optimum(data, "least_squares")
    values = [eight_schools.objective(centred, "map", near | {"tau": np.array(tau)}) for tau in (1e-1, 1e-3, 1e-5)]
    assert values[0] > values[1] > values[2]  # and it runs away as it says


@pytest.mark.parametrize("name", ["map", "map_unconstrained"])
@pytest.mark.parametrize("tau", [TAUS[4], TAUS[5]], ids=str)
def test_a_centred_model_whose_prior_keeps_tau_from_0_has_a_mode(tau: Prior, name: str) -> None:
    data = make(MU, tau, centred=True)
    best, least = eight_schools.optimum(data, name)
    reached = descend(data, name)
    assert least <= reached + 1e-9 and np.isfinite(least)
    if best["tau"] != 2.0:  # at the bound descents only come close
        assert reached == pytest.approx(least, abs=1e-6)


def test_prior_predictive_data_are_calibrated() -> None:
    data = make(MU, TAUS[1])
    rng = np.random.default_rng(8)
    ranks = []
    for _ in range(200):
        truth, arrays = eight_schools.prior_predictive(data, rng)
        drawn = eight_schools.reference(replace(data, arrays=arrays)).draw(39, rng)
        values = [(truth["mu"], drawn["mu"]), (truth["tau"], drawn["tau"]), (truth["theta"][2], drawn["theta"][:, 2])]
        ranks.append([int(np.sum(d < t)) for t, d in values])
    for column in np.array(ranks).T:
        counts = np.bincount(column // 4, minlength=10)  # 40 ranks in tens, 20 expected in each
        assert stats.chisquare(counts).pvalue > 1e-4
    with pytest.raises(NoReference, match="flat"):
        eight_schools.prior_predictive(make(Prior("flat"), TAUS[0]), rng)


def test_prior_variance_is_that_of_prior_draws() -> None:
    rng = np.random.default_rng(9)
    for tau in (TAUS[1], TAUS[2], TAUS[4], TAUS[5]):
        data = make(MU, tau)
        stated = eight_schools.prior_variance(data)
        drawn = [eight_schools.prior_predictive(data, rng)[0] for _ in range(4000)]
        theta = np.array([d["theta"] for d in drawn])
        # 32 000 values, heavy-tailed through tau: 10 % is five standard errors at a kurtosis of 20.
        assert stated["theta"].shape == (8,)
        np.testing.assert_allclose(theta.var(), stated["theta"][0], rtol=0.1)
    assert np.isinf(eight_schools.prior_variance(make(MU, TAUS[0]))["theta"]).all()


def test_rows_of_data_and_of_a_holdout() -> None:
    spec = load_generated({})
    data = dataset(spec, seed=3, rep=0)
    draws = {"theta": np.arange(6.0).reshape(2, 3)}
    np.testing.assert_array_equal(eight_schools.predict(data, draws, data.arrays), draws["theta"])
    held = data.holdout
    assert held["school"][:4].tolist() == [0.0, 1.0, 2.0, 0.0] and len(held["y"]) == 100
    mean = eight_schools.predict(data, draws, held)
    np.testing.assert_array_equal(mean[:, 4], draws["theta"][:, 1])
    law = stats.norm(mean, held["errors"])
    np.testing.assert_allclose(eight_schools.log_likelihood(data, draws, held), law.logpdf(held["y"]))
    np.testing.assert_allclose(eight_schools.observation_cdf(data, draws, held), law.cdf(held["y"]), atol=1e-14)


def load_generated(overrides: dict[str, Any]) -> Any:
    return scenario_file(
        'family = "eight_schools"\nerrors = [1.0, 2.0, 0.5]\nmu = 3.0\ntau = 2.0\n'
        "[priors]\nmu = {normal = [0, 5]}\ntau = {half_normal = 5}\n",
        overrides,
    )


def scenario_file(text: str, overrides: dict[str, Any]) -> Any:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "own.toml"
        file.write_text(text)
        return load(file, overrides)


def test_generated_data_follow_their_truth() -> None:
    spec = load_generated({"errors": 2.0, "n_schools": 5000, "holdout.n_obs": 5000})
    first, second = (dataset(spec, seed=3, rep=rep) for rep in range(2))
    assert first.names == ("mu", "tau", "theta") and [p.name for p in first.sites] == ["mu", "tau", "eta"]
    theta = first.truth["theta"]
    assert abs(theta.mean() - 3.0) < 5 * 2.0 / np.sqrt(5000) and abs(theta.std() / 2.0 - 1) < 5 / np.sqrt(10_000)
    assert abs((first.arrays["y"] - theta).std() / 2.0 - 1) < 5 / np.sqrt(10_000)
    assert abs((first.holdout["y"] - theta).std() / 2.0 - 1) < 5 / np.sqrt(10_000)
    assert not np.array_equal(theta, second.truth["theta"])


def test_scenarios_hold_rubins_data_in_both_parametrisations() -> None:
    free, centred = (dataset(scenario(n), seed=1, rep=2) for n in ("eight-schools", "eight-schools-centred"))
    for data in (free, centred):
        np.testing.assert_array_equal(data.arrays["y"], Y)
        np.testing.assert_array_equal(data.arrays["errors"], ERRORS)
        assert data.truth == {} and data.holdout == {}
    assert centred.coordinates == () and free.coordinates[2].name == "eta"
    assert eight_schools.reference(free).log_evidence == eight_schools.reference(centred).log_evidence
    assert scenario("eight-schools").fixed_data and eight_schools.notes(scenario("eight-schools")) == ()
    assert "funnel" in eight_schools.notes(scenario("eight-schools-centred"))[0]
    spec = scenario("eight-schools", {"start.eta": 0.5, "start.tau": {"half_normal": 1}})
    assert dataset(spec, seed=1, rep=0).start["eta"].tolist() == [0.5] * 8


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"parametrisation": "both"}, ["parametrisation", "non-centred, centred"]),
        ({"mu": 1.0}, ["mu", "no truth"]),
        ({"data.errors": [1.0, 2.0]}, ["data.effects", "2 numbers"]),
        ({"data.errors": [1.0, -2.0]}, ["data.errors[1]", "greater than 0"]),
        ({"data.effects": [1.0], "data.errors": [1.0]}, ["data.errors", "2 schools"]),
        ({"data.file": "x.csv"}, ["data.file", "effects, errors"]),
        ({"priors.theta": {"normal": [0, 1]}}, ["priors.theta", "mu, tau"]),
        ({"priors.mu": {"cauchy": [0, 1]}}, ["priors.mu", "normal"]),
        ({"priors.tau": {"uniform": [-1, 3]}}, ["priors.tau", "at least 0"]),
        ({"start.theta": 0.0}, ["start.theta", "mu, tau, eta"]),
        ({"start.tau": -1.0}, ["start.tau", "(0, inf)"]),
        ({"holdout.n_obs": 5}, ["holdout", "truth is not known"]),
        ({"predict.x": [[0.5]]}, ["predict", "no inputs"]),
    ],
)
def test_what_cannot_be_is_refused_by_name(overrides: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario("eight-schools", overrides)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"errors": 2.0}, ["n_schools", "one error"]),
        ({"n_schools": 4}, ["n_schools", "3 values"]),
        ({"errors": [1.0]}, ["errors", "2 schools"]),
        ({"tau": 0.0}, ["tau", "greater than 0"]),
        ({"weights": [1.0]}, ["weights"]),
    ],
)
def test_generators_that_cannot_be_are_refused_by_name(overrides: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_generated(overrides)
    assert all(word in str(caught.value) for word in words)

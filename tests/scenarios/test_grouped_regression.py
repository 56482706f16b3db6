"""The family `grouped_regression` against densities of scipy.stats, and its references against exact posteriors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.catalog.designs import LIKELIHOODS
from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.errors import NoReference, ScenarioError
from bench.types import Array, Dataset, Prior
from scenarios.families.common import transforms
from scenarios.families.hierarchy.grouped_regression import FAMILY as grouped
from scenarios.families.hierarchy.grouped_regression import FLAT, GroupedRegression
from scenarios.families.posteriors import importance
from scenarios.families.posteriors.by_group import ByGroup, Likelihoods
from scenarios.families.regression.linear import FAMILY as linear
from tests.grouped import LAWS, make
from tests.scenarios.regressions import LAWS as SCIPY
from tests.scenarios.regressions import logpdf

CENTRED = pytest.mark.parametrize("centred", [False, True], ids=["non-centred", "centred"])


def scipy_law(data: Dataset, eta: Array, scales: dict[str, Array]) -> Any:
    if data.law == "robust":
        return stats.t(scales["df"], eta, scales["sigma"])
    law = SCIPY[f"{data.law}-{data.link}" if data.link else data.law]
    return law(eta, scales, np.asarray(data.arrays.get("trials", 1), int))


def scipy_log_joint(data: Dataset, sites: dict[str, Array]) -> float:
    """Of one point, sites on their natural scale, from scipy.stats only."""
    mu, tau, arrays = float(sites["mu"]), float(sites["tau"]), data.arrays
    if "eta" in sites:
        a, total = mu + tau * sites["eta"], stats.norm.logpdf(sites["eta"]).sum()
    else:
        a, total = sites["a"], stats.norm(mu, tau).logpdf(sites["a"]).sum()
    eta = a[arrays["group"].astype(int)] + arrays["x"] @ sites["weights"] + arrays.get("offset", 0.0)
    scales = {name: prior.args[0] for name, prior in data.priors.items() if prior.name == "known"}
    law = scipy_law(data, eta, {**scales, **sites})
    discrete = hasattr(law.dist, "pmf")
    total += (law.logpmf(arrays["y"]) if discrete else law.logpdf(arrays["y"])).sum()
    return float(
        total + sum(np.sum(logpdf(prior, sites[name])) for name, prior in data.priors.items() if name in sites)
    )


@CENTRED
@pytest.mark.parametrize("case", LAWS)
def test_log_density_is_scipys_with_the_jacobian(case: str, centred: bool) -> None:
    data = make(case, centred=centred)
    z = np.random.default_rng(1).uniform(-1, 1, (3, data.dim))
    values, gradients = grouped.log_density(data, z)
    for at, value, gradient in zip(z, values, gradients, strict=True):
        sites = transforms.constrain(data.sites, at)
        # all positive parameters have the support (0, inf) here, of which z is the logarithm
        jacobian = sum(float(np.log(sites[p.name])) for p in data.sites if p.lower == 0.0)
        assert value == pytest.approx(scipy_log_joint(data, sites) + jacobian, rel=1e-10)
        steps = 1e-5 * np.eye(data.dim)
        slopes = (grouped.log_density(data, at + steps)[0] - grouped.log_density(data, at - steps)[0]) / 2e-5
        # Central differences err by h² of a third derivative and 1e-16·value/h: 1e-8 of slopes of up to 1e2.
        np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-6 * np.abs(slopes).max())


@pytest.mark.parametrize("case", LAWS)
def test_rows_are_those_of_the_flat_regression_with_the_intercepts_for_an_offset(case: str) -> None:
    """Mean, density and distribution function of new rows, and what is drawn for them."""
    data, rng = make(case), np.random.default_rng(2)
    draws = grouped.constrain(data, rng.uniform(-1, 1, (5, data.dim)))
    held = dict(data.holdout)
    group = held["group"].astype(int)
    flat = family(data.law)
    assert grouped.discrete(data) is flat.discrete(data)
    for i in range(5):
        one = {name: values[i : i + 1] for name, values in draws.items()}
        shifted = {name: values for name, values in held.items() if name != "group"}
        shifted["offset"] = held.get("offset", 0.0) + one["a"][0, group]
        for name in ("predict", "log_likelihood", "observation_cdf"):
            expected = getattr(flat, name)(replace(data, family=data.law), one, shifted)
            np.testing.assert_allclose(getattr(grouped, name)(data, one, held), expected, rtol=1e-12)


def test_likelihoods_of_formulas_are_the_familys() -> None:
    assert {name: flat.name for name, flat in FLAT.items()} | {"gaussian": "linear"} == LIKELIHOODS


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"likelihood": "gaussian"}, "must be one of student_t"),
        ({"phi": 2.0}, "phi = 2.0 is not allowed; poisson observations have no such key"),
        ({"link": "probit"}, "must be one of log"),
        ({"trials": 3}, "poisson observations have no such key"),
        ({"priors.phi": {"exponential": 1}}, "the parameters are mu, tau, weights"),
        ({"likelihood": "negative_binomial"}, "phi is missing; it must be given"),
        ({"likelihood": "binomial"}, "trials is missing"),
        ({"priors.mu": {"uniform": [0, 1]}}, r"priors\.mu"),
        ({"data.file": "rows.csv"}, "generates its data"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_key_that_cannot_be_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ScenarioError, match=why):
        scenario("varying-intercept-poisson", changes)


def test_degrees_of_freedom_are_known_where_nothing_is_said_of_them() -> None:
    data = make("student_t[known]")
    assert data.priors["df"] == Prior("known", (4.0,)) and data.names == ("mu", "tau", "a", "weights")
    assert "df" not in make("poisson").priors


def test_data_sets_differ_by_their_law() -> None:
    assert make("bernoulli").digest != make("bernoulli", link="probit").digest
    assert make("binomial", trials=1).law == "binomial" and make("bernoulli").skeleton().law == "logistic"


class OfAnyLaw(GroupedRegression):
    """With the Gaussian law, whose posterior `varying_intercept` knows exactly."""

    def flat(self, law: str) -> Any:
        return super().flat(law) if law else linear


@pytest.mark.parametrize("centred", [False, True])
def test_importance_sampling_finds_the_exact_posterior_of_gaussian_observations(centred: bool) -> None:
    parametrisation = "centred" if centred else "non-centred"
    data = dataset(scenario("varying-intercept", {"parametrisation": parametrisation}), seed=0, rep=0)
    exact, found = family("varying_intercept").reference(data), OfAnyLaw().reference(data)
    worth = found.n_effective
    assert worth > 10_000
    # Five standard errors at a fixed seed; those of an sd are √(kurtosis − 1)/2 of it, 1.5 for what is far from normal.
    assert abs(found.log_evidence - exact.log_evidence) < 5 * found.log_evidence_se
    for name in data.names:
        assert np.all(np.abs(found.mean[name] - exact.mean[name]) < 5 * exact.sd[name] / np.sqrt(worth))
        np.testing.assert_allclose(found.sd[name], exact.sd[name], rtol=5 * 1.5 / np.sqrt(worth))
        # A distribution function is off by half a standard error of a share, and 5e-4 by the grid of its quantiles.
        probabilities = found.cdf(name, exact.quantile(name, np.array([0.025, 0.5, 0.975])))
        levels = np.array([0.025, 0.5, 0.975]).reshape(-1, *[1] * (probabilities.ndim - 1))
        np.testing.assert_allclose(probabilities - levels, 0.0, atol=5 * 0.5 / np.sqrt(worth) + 1e-3)


@pytest.mark.parametrize(
    "case", ["bernoulli", "poisson", pytest.param("negative_binomial", marks=pytest.mark.slow), "gamma", "student_t"]
)
def test_references_are_trusted_on_honest_data(case: str) -> None:
    found = grouped.reference(make(case, n_per_group=[3, 3, 6, 10, 12, 14, 20, 20]))
    assert found.n_effective > 10_000 and "importance sampling" in found.method


def test_data_without_residual_have_no_reference() -> None:
    data = make("student_t", n_per_group=[6, 6])
    exact = {**data.arrays, "y": data.arrays["x"] @ [0.5, 0.25] + data.arrays["group"]}
    with pytest.raises(NoReference, match="without residual"):
        grouped.reference(replace(data, arrays=exact))


@pytest.mark.parametrize("tau", [Prior("half_normal", (1.0,)), Prior("uniform", (0.0, 4.0))], ids=str)
@pytest.mark.parametrize(
    "mu", [Prior("normal", (0.5, 2.0)), Prior("flat"), Prior("student_t", (3.0, 0.5, 2.0))], ids=str
)
def test_coordinates_of_groups_are_a_change_of_variables(mu: Prior, tau: Prior) -> None:
    data = make("poisson", centred=True, **{"priors.mu": _written(mu), "priors.tau": _written(tau)})
    rng = np.random.default_rng(3)
    space = ByGroup(data, grouped.log_density, Likelihoods(rng.normal(size=4), rng.uniform(0.1, 9.0, 4)))
    for u in rng.uniform(-1, 1, (3, data.dim)):
        value, gradient = space.log_density(u[None])
        steps = 1e-5 * np.eye(data.dim)
        jacobian = (space.unconstrained(u + steps) - space.unconstrained(u - steps)) / 2e-5
        expected = grouped.log_density(data, space.unconstrained(u))[0] + np.linalg.slogdet(jacobian)[1]
        # The Jacobian is a central difference, off by h² and by 1e-16/h in each of a dozen entries.
        assert value[0] == pytest.approx(float(expected), abs=1e-7)
        slopes = (space.log_density(u + steps)[0] - space.log_density(u - steps)[0]) / 2e-5
        np.testing.assert_allclose(gradient[0], slopes, rtol=1e-6, atol=1e-6 * np.abs(slopes).max())


def _written(prior: Prior) -> Any:
    return {prior.name: list(prior.args)} if prior.args else prior.name


@pytest.mark.parametrize("name", ["map", "map_unconstrained"])
@pytest.mark.parametrize("case", ["poisson", "bernoulli", "student_t"])
def test_no_point_about_the_optimum_is_better(case: str, name: str) -> None:
    data, rng = make(case, n_per_group=[4, 6, 8, 9]), np.random.default_rng(4)
    params, least = grouped.optimum(data, name)
    assert grouped.objective(data, name, params) == pytest.approx(least, rel=1e-12)
    z = grouped.unconstrain(data, {**params, "tau": np.maximum(params["tau"], 1e-9)})
    for step in rng.normal(scale=[[1e-3], [0.1], [1.0]], size=(20, 3, data.dim)).reshape(-1, data.dim):
        assert grouped.objective(data, name, grouped.constrain(data, z + step)) > least - 1e-9


def test_the_mode_is_at_no_scatter_where_groups_are_alike() -> None:
    """Every group has the same counts, so intercepts that differ cost and gain nothing."""
    data = make("poisson", n_per_group=[4, 4])
    alike = {"x": np.tile(data.arrays["x"][:4], (2, 1)), "y": np.tile(data.arrays["y"][:4], 2)}
    alike = replace(data, arrays={"offset": np.zeros(8), "group": np.repeat([0.0, 1.0], 4), **alike})
    params, _ = grouped.optimum(alike, "map")
    assert params["tau"] == 0.0
    np.testing.assert_allclose(params["a"], params["mu"], rtol=1e-12)
    with pytest.raises(NoReference, match="unbounded as tau goes to 0"):
        grouped.optimum(replace(alike, coordinates=()), "map")


@pytest.mark.slow
@pytest.mark.parametrize("case", ["poisson"])  # those of other laws are seen by NUTS
def test_references_hold_truths_from_the_priors_as_often_as_they_say(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 60 data sets; the truth of a data set lies in the half of a posterior with probability a half.

    Of fewer draws than a reference wants: at 1000 effective ones a level is known to 0.014, a tenth of what the share
    of 60 hits may be off.
    """
    for name, value in {"PILOT": 1500, "WANTED": 3000.0, "NEEDED": 1000.0}.items():
        monkeypatch.setattr(importance, name, value)
    template, inside, tried = make(case, n_per_group=[6, 8, 8, 10, 12]), dict[str, list[bool]](), 0
    for seed in range(60):
        truth, arrays = grouped.prior_predictive(template, np.random.default_rng(seed))
        try:
            found = grouped.reference(replace(template, arrays=arrays))
        except NoReference:
            continue
        tried += 1
        for name in ("mu", "tau", "a", "weights"):
            level = np.ravel(found.cdf(name, truth[name]))[0]
            inside.setdefault(name, []).append(bool(0.25 < level < 0.75))
    assert tried >= 54
    for name, hits in inside.items():
        # Three and a half standard errors of a share of 54 or more; seeds are fixed.
        assert abs(np.mean(hits) - 0.5) < 3.5 * 0.5 / np.sqrt(tried), name

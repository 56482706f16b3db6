"""The family `varying_intercept` against scipy densities, dense Gaussian algebra on grids, and simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import optimize, special, stats

from bench.catalog.scenarios import scenario
from bench.data import dataset
from bench.errors import NoReference, ScenarioError
from bench.types import Array, Dataset, Parameter, Prior
from scenarios.families.common import transforms
from scenarios.families.hierarchy.varying_intercept import FAMILY as varying_intercept
from scenarios.families.posteriors.given_scales import GivenScales

SCIPY: Mapping[str, Any] = {
    "normal": stats.norm,
    "uniform": lambda low, high: stats.uniform(low, high - low),
    "exponential": lambda rate: stats.expon(scale=1 / rate),
    "half_normal": lambda scale: stats.halfnorm(scale=scale),
    "half_cauchy": lambda scale: stats.halfcauchy(scale=scale),
    "log_normal": lambda loc, scale: stats.lognorm(scale, scale=np.exp(loc)),
}
NORMAL, FLAT = Prior("normal", (0.3, 2.0)), Prior("flat")
HALF = Prior("half_normal", (1.5,))
MODELS: list[dict[str, Prior]] = [
    {"mu": NORMAL, "tau": HALF, "weights": NORMAL, "sigma": HALF},
    {"mu": NORMAL, "tau": Prior("exponential", (1.0,)), "weights": FLAT, "sigma": Prior("log_normal", (0.0, 0.7))},
    {"mu": NORMAL, "tau": Prior("uniform", (0.0, 6.0)), "weights": NORMAL, "sigma": Prior("uniform", (0.2, 2.0))},
    {"mu": FLAT, "tau": Prior("half_cauchy", (1.0,)), "weights": NORMAL, "sigma": Prior("half_cauchy", (1.0,))},
]
IDS = ["-".join(str(p) for p in m.values()) for m in MODELS]
SIZES = (2, 3, 1, 4, 4, 3, 5)


def make(
    model: Mapping[str, Prior], *, sizes: tuple[int, ...] = SIZES, features: int = 1, centred: bool = False
) -> Dataset:
    rng = np.random.default_rng(21)
    group = np.repeat(np.arange(len(sizes)), sizes)
    x = rng.standard_normal((len(group), features))
    y = (1.0 + 0.9 * rng.standard_normal(len(sizes)))[group] + 0.7 * x.sum(1) + 0.6 * rng.standard_normal(len(group))
    bounds = {k: p.args if p.name == "uniform" else (0.0, np.inf) for k, p in model.items()}
    parameters = [Parameter("mu"), Parameter("tau", (), *bounds["tau"]), Parameter("a", (len(sizes),))]
    parameters += [Parameter("weights", (features,))] if features else []
    parameters.append(Parameter("sigma", (), *bounds["sigma"]))
    sites = () if centred else tuple(Parameter("eta", p.shape) if p.name == "a" else p for p in parameters)
    arrays = {"x": x, "y": y, "group": group.astype(float)}
    priors = {k: p for k, p in model.items() if features or k != "weights"}
    return Dataset("varying_intercept", tuple(parameters), arrays, priors, coordinates=sites)


def scipy_log_joint(data: Dataset, sites: Mapping[str, Array]) -> float:
    """Of one point, sites on their natural scale, from scipy.stats only."""
    mu, tau = float(sites["mu"]), float(sites["tau"])
    if "eta" in sites:
        a, total = mu + tau * sites["eta"], stats.norm.logpdf(sites["eta"]).sum()
    else:
        a, total = sites["a"], stats.norm(mu, tau).logpdf(sites["a"]).sum()
    for i, y in enumerate(data.arrays["y"]):
        mean = a[int(data.arrays["group"][i])] + data.arrays["x"][i] @ sites.get("weights", np.zeros(0))
        total += stats.norm(mean, float(sites["sigma"])).logpdf(y)
    for name, prior in data.priors.items():
        total += 0.0 if prior.name == "flat" else SCIPY[prior.name](*prior.args).logpdf(sites[name]).sum()
    return float(total)


@pytest.mark.parametrize("centred", [False, True], ids=["non-centred", "centred"])
@pytest.mark.parametrize(("model", "features"), [*[(m, 2) for m in MODELS], (MODELS[0], 0)], ids=[*IDS, "no features"])
def test_log_density_is_scipys_with_the_jacobian(model: dict[str, Prior], features: int, centred: bool) -> None:
    data = make(model, features=features, centred=centred)
    z = np.random.default_rng(1).uniform(-2, 2, (2, 2, data.dim))
    values, gradients = varying_intercept.log_density(data, z)
    assert values.shape == (2, 2) and gradients.shape == z.shape
    for at in np.ndindex(2, 2):
        up, down = (transforms.constrain(data.sites, z[at] + h) for h in (1e-6, -1e-6))
        jacobian = sum(float(np.log((up[s] - down[s]) / 2e-6)) for s in ("tau", "sigma"))
        # The Jacobian here is a central difference: about eps/h = 1e-10.
        expected = scipy_log_joint(data, transforms.constrain(data.sites, z[at])) + jacobian
        assert values[at] == pytest.approx(expected, rel=1e-9, abs=1e-9)
        steps = 1e-5 * np.eye(data.dim)
        slopes = (varying_intercept.log_density(data, z[at] + steps)[0]
                  - varying_intercept.log_density(data, z[at] - steps)[0]) / 2e-5  # fmt: skip
        # Central differences err by h² of a third derivative and 1e-16·value/h: 1e-7 of slopes of up to 1e3.
        np.testing.assert_allclose(gradients[at], slopes, rtol=1e-6, atol=1e-7 * np.abs(slopes).max())


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_parametrisations_differ_by_the_change_of_variables(model: dict[str, Prior]) -> None:
    free, centred = make(model), make(model, centred=True)
    z = np.random.default_rng(2).uniform(-2, 2, (5, free.dim))
    draws = varying_intercept.constrain(free, z)
    other = varying_intercept.unconstrain(centred, draws)
    expected = varying_intercept.log_density(centred, other)[0] + len(SIZES) * np.log(draws["tau"])
    np.testing.assert_allclose(varying_intercept.log_density(free, z)[0], expected, rtol=1e-11)
    np.testing.assert_allclose(varying_intercept.unconstrain(free, draws), z, atol=1e-11)
    sites = varying_intercept.to_sites(free, draws)
    assert tuple(sites) == ("mu", "tau", "eta", "weights", "sigma")
    back = varying_intercept.from_sites(free, sites)
    assert tuple(back) == free.names
    np.testing.assert_allclose(back["a"], draws["a"], atol=1e-12)


class Dense:
    """Everything given (sigma, tau) by dense joint normals of (mu, a, weights, y), at Gauss–Legendre nodes of both."""

    def __init__(self, data: Dataset, tau: Array, sigma: Array) -> None:
        """tau and sigma (K,)."""
        x, y, group = data.arrays["x"], data.arrays["y"], data.arrays["group"].astype(int)
        groups, width, k = data.parameter("a").size, x.shape[1], len(tau)
        loc, scale = data.priors["mu"].args
        size = 1 + groups + width
        covariance, mean = np.zeros((k, size, size)), np.full(size, loc)
        covariance[:, : 1 + groups, : 1 + groups] = scale**2
        covariance[:, np.arange(1, 1 + groups), np.arange(1, 1 + groups)] += tau[:, None] ** 2
        if width:
            mean[1 + groups :], spread = data.priors["weights"].args
            covariance[:, np.arange(1 + groups, size), np.arange(1 + groups, size)] = spread**2
        design = np.zeros((len(y), size))
        design[np.arange(len(y)), 1 + group], design[:, 1 + groups :] = 1.0, x
        cross = covariance @ design.T
        marginal = design @ cross + sigma[:, None, None] ** 2 * np.eye(len(y))
        gain = np.swapaxes(np.linalg.solve(marginal, np.swapaxes(cross, 1, 2)), 1, 2)
        residual = y - design @ mean
        self.mean = mean + gain @ residual
        self.variance = np.diagonal(covariance, axis1=1, axis2=2) - (gain * cross).sum(-1)
        squares = np.linalg.solve(marginal, np.broadcast_to(residual[:, None], (k, len(y), 1)))[..., 0] @ residual
        self.log_p = -0.5 * (squares + np.linalg.slogdet(2 * np.pi * marginal)[1])


def panels(edges: Array, order: int = 8) -> tuple[Array, Array]:
    x, w = np.polynomial.legendre.leggauss(order)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half + half * x).ravel(), (half * w).ravel()


@pytest.mark.parametrize("model", [MODELS[0], MODELS[2]], ids=[IDS[0], IDS[2]])
def test_evidence_moments_and_distributions_match_a_dense_grid(model: dict[str, Prior]) -> None:
    data = make(model, sizes=(2, 4, 3, 3))
    uniform = model["tau"].name == "uniform"
    # Half normals of 1.5 have fallen to e⁻³² of their height at 12; below 0.15 no sigma explains 12 residuals.
    tau_edges = np.concatenate([np.linspace(0, 2, 9), np.geomspace(2.3, 6.0 if uniform else 12.0, 8)])
    sigma_edges = np.geomspace(0.2 if uniform else 0.1, 2.0 if uniform else 12.0, 22)
    tau, w_tau = panels(tau_edges)
    sigma, w_sigma = panels(sigma_edges)
    at_tau, at_sigma = (v.ravel() for v in np.meshgrid(tau, sigma, indexing="ij"))
    brute = Dense(data, at_tau, at_sigma)
    mass = np.outer(w_tau, w_sigma).ravel() * np.exp(brute.log_p)
    for name, at in (("tau", at_tau), ("sigma", at_sigma)):
        mass = mass * SCIPY[model[name].name](*model[name].args).pdf(at)
    total = mass.sum()
    found = varying_intercept.reference(data)
    assert found.log_evidence == pytest.approx(np.log(total), abs=1e-10)
    mass /= total
    values = np.column_stack([brute.mean, at_tau, at_sigma])
    variances = np.column_stack([brute.variance, np.zeros((len(mass), 2))])
    mean = mass @ values
    away = values - mean
    second = mass @ (variances + away**2)
    fourth = mass @ (3 * variances**2 + 6 * variances * away**2 + away**4)

    def flat(named: Mapping[str, Array]) -> Array:
        return np.concatenate([[named["mu"]], named["a"], named["weights"], [named["tau"]], [named["sigma"]]])

    np.testing.assert_allclose(flat(found.mean), mean, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(flat(found.sd) ** 2, second, rtol=1e-9)
    np.testing.assert_allclose(flat(found.centred_square_variance), fourth - second**2, rtol=1e-8)
    exact: Any = found
    icc = at_tau**2 / (at_tau**2 + at_sigma**2)
    assert exact.derived()["icc"].mean == pytest.approx(mass @ icc, abs=1e-9)
    assert exact.derived()["icc"].sd ** 2 == pytest.approx(mass @ (icc - mass @ icc) ** 2, rel=1e-8)
    levels = np.array([0.004, 0.3, 0.5, 0.9, 0.997])
    x = found.quantile("a", levels)
    below = np.einsum(
        "k,kpa->pa", mass, special.ndtr((x - brute.mean[:, None, 1:5]) / np.sqrt(brute.variance[:, None, 1:5]))
    )
    np.testing.assert_allclose(below, levels[:, None] + np.zeros(4), atol=1e-9)
    for name, edges, at in (("tau", tau_edges, at_tau), ("sigma", sigma_edges, at_sigma)):
        # At the edge of a panel the mass below is a sum of whole panels.
        inner = edges[2:-2:3]
        expected = np.array([mass[at < e].sum() for e in inner])
        np.testing.assert_allclose(found.cdf(name, inner), expected, atol=1e-9)
        p = found.quantile(name, levels)
        np.testing.assert_allclose(found.cdf(name, p), levels, atol=1e-12)


def test_a_flat_mean_and_flat_weights_are_limits_of_wide_ones() -> None:
    wide = Prior("normal", (0.0, 1e5))
    model = {"mu": FLAT, "tau": HALF, "weights": FLAT, "sigma": HALF}
    flat = varying_intercept.reference(make(model, features=2))
    near = varying_intercept.reference(make(model | {"mu": wide, "weights": wide}, features=2))
    # Three coefficients whose prior density is taken out; what is left is (1/1e5)² of their squares.
    expected = near.log_evidence + 3 * np.log(1e5 * np.sqrt(2 * np.pi))
    assert flat.log_evidence == pytest.approx(expected, abs=1e-7)
    np.testing.assert_allclose(flat.mean["a"], near.mean["a"], rtol=1e-6)
    np.testing.assert_allclose(flat.sd["weights"], near.sd["weights"], rtol=1e-6)


def large() -> Dataset:
    """89 parameters: 80 unbalanced groups, six features, mu, tau and sigma."""
    sizes = tuple(int(n) for n in np.random.default_rng(5).integers(1, 8, 80))
    return make(MODELS[0], sizes=sizes, features=6)


def test_89_parameters_match_dense_algebra_at_nodes_and_their_own_draws() -> None:
    data = large()
    assert data.dim == 89
    found: Any = varying_intercept.reference(data)
    rng = np.random.default_rng(6)
    sigma, tau = np.array([0.2, 0.6, 0.7, 3.0]), np.array([1e-3, 0.9, 2.0, 0.1])
    given, brute = GivenScales(data), Dense(data, tau, sigma)
    # Dense sums of 300 squares, some of them 1e3 at sigma = 0.2, against group sums: rounding of both.
    np.testing.assert_allclose(given.log_likelihood(sigma, tau), brute.log_p, rtol=1e-11)
    means, variances = given.moments(sigma, tau)
    np.testing.assert_allclose(means, brute.mean, atol=1e-10)
    np.testing.assert_allclose(variances, brute.variance, rtol=1e-8)
    draws = found.draw(4000, rng)
    p = [stats.kstest(c, "uniform").pvalue for n in data.names for c in found.cdf(n, draws[n]).reshape(4000, -1).T]
    assert len(p) == 89 and min(p) > 1e-5  # 89 tests at a fixed seed: 1e-3 in all
    # Draws of the joint, not of the marginals alone: mean squares of the data's own residuals, given each pair of
    # scales, against the conditional normal's.
    residual = data.arrays["y"] - varying_intercept.predict(data, draws, data.arrays)
    standard = (residual**2).sum(-1) / draws["sigma"] ** 2
    gibbs = simulated_gibbs(data, 2000, rng)
    other = ((data.arrays["y"] - varying_intercept.predict(data, gibbs, data.arrays)) ** 2).sum(-1) / gibbs[
        "sigma"
    ] ** 2
    batches = other[200:].reshape(30, 60).mean(1)
    error = np.hypot(batches.std(ddof=1) / np.sqrt(30), standard.std() / np.sqrt(4000))
    assert abs(standard.mean() - batches.mean()) < 5 * error
    for name in ("mu", "tau", "sigma"):
        batches = gibbs[name][200:].reshape(30, 60).mean(1)
        # 30 batches of 60 sweeps, long against the autocorrelation of this sampler; five standard errors.
        assert abs(batches.mean() - found.mean[name]) < 5 * batches.std(ddof=1) / np.sqrt(30)
        assert gibbs[name][200:].std() == pytest.approx(float(found.sd[name]), rel=0.15)


def simulated_gibbs(data: Dataset, sweeps: int, rng: np.random.Generator) -> dict[str, Array]:
    """Gibbs sampling written out from the conditionals; tau and sigma by their conditional on a fine grid."""
    x, y, group = data.arrays["x"], data.arrays["y"], data.arrays["group"].astype(int)
    groups, n = data.parameter("a").size, len(y)
    counts, (loc, scale) = np.bincount(group), data.priors["mu"].args
    grid = np.linspace(0.005, 4.0, 4000)
    prior = stats.halfnorm(scale=data.priors["tau"].args[0]).logpdf(grid)
    logs, halves = np.log(grid), 0.5 / grid**2

    def spread(squares: float, size: int) -> float:
        height = prior - size * logs - squares * halves
        mass = np.cumsum(np.exp(height - height.max()))
        return float(grid[np.searchsorted(mass, rng.random() * mass[-1])])

    a, weights, mu, tau, sigma = np.zeros(groups), np.zeros(x.shape[1]), 0.0, 1.0, 1.0
    kept: dict[str, list[Any]] = {name: [] for name in data.names}
    for _ in range(sweeps):
        precision = counts / sigma**2 + 1 / tau**2
        total = np.bincount(group, y - x @ weights, groups)
        a = (total / sigma**2 + mu / tau**2) / precision + rng.standard_normal(groups) / np.sqrt(precision)
        matrix = x.T @ x / sigma**2 + np.eye(len(weights)) / scale**2
        root = np.linalg.cholesky(matrix)
        right = x.T @ (y - a[group]) / sigma**2 + loc / scale**2
        weights = np.linalg.solve(matrix, right) + np.linalg.solve(root.T, rng.standard_normal(len(weights)))
        precision_mu = groups / tau**2 + 1 / scale**2
        mu = (a.sum() / tau**2 + loc / scale**2) / precision_mu + rng.standard_normal() / np.sqrt(precision_mu)
        tau = spread(float(((a - mu) ** 2).sum()), groups)
        sigma = spread(float(((y - a[group] - x @ weights) ** 2).sum()), n)
        for name, value in (("mu", mu), ("tau", tau), ("a", a), ("weights", weights), ("sigma", sigma)):
            kept[name].append(value)
    return {name: np.array(values) for name, values in kept.items()}


def test_exact_draws_follow_their_marginals() -> None:
    data = make(MODELS[3])
    found = varying_intercept.reference(data)
    draws = found.draw(4000, np.random.default_rng(4))
    for name in data.names:
        for column in found.cdf(name, draws[name]).reshape(4000, -1).T:
            assert stats.kstest(column, "uniform").pvalue > 1e-4  # eleven tests at a fixed seed


@pytest.mark.parametrize("name", ["map", "map_unconstrained"])
@pytest.mark.parametrize("model", MODELS[:3], ids=IDS[:3])
def test_optimum_is_the_least_that_descents_find(model: dict[str, Prior], name: str) -> None:
    data = make(model)
    best, least = varying_intercept.optimum(data, name)
    assert least == pytest.approx(varying_intercept.objective(data, name, best), abs=1e-12)

    def f(z: Array) -> tuple[float, Array]:
        with np.errstate(over="ignore"):  # a line search may step far out
            value, gradient = varying_intercept.log_density(data, z)
        if name == "map":
            log_jacobian, slope = transforms.log_jacobians(data.sites, z)
            return float(log_jacobian.sum() - value), slope - gradient
        return -float(value), -gradient

    rng, options = np.random.default_rng(7), {"ftol": 1e-14, "gtol": 1e-8}
    starts = rng.uniform(-2, 2, (2, data.dim))
    reached = min(optimize.minimize(f, z, jac=True, method="L-BFGS-B", options=options).fun for z in starts)
    assert least <= reached + 1e-9
    assert reached == pytest.approx(least, abs=1e-6)


def test_a_centred_model_and_one_that_interpolates_have_no_mode() -> None:
    with pytest.raises(NoReference, match="every a at mu"):
        varying_intercept.optimum(make(MODELS[0], centred=True), "map_unconstrained")
    with pytest.raises(NoReference, match="interpolate"):
        varying_intercept.optimum(make(MODELS[0], sizes=(1, 1, 1), features=0), "map")
    with pytest.raises(ValueError, match="least_squares"):
        varying_intercept.optimum(make(MODELS[0]), "least_squares")


def test_improper_posteriors_are_named() -> None:
    data = make({**MODELS[0], "mu": FLAT, "weights": FLAT}, features=2)
    same = {**data.arrays, "x": np.column_stack([data.arrays["x"][:, 0]] * 2)}
    with pytest.raises(NoReference, match="do not determine"):
        varying_intercept.reference(replace(data, arrays=same))
    with pytest.raises(NoReference, match="tau is improper or lacks a fourth moment"):
        varying_intercept.reference(make(MODELS[3], sizes=(4, 4)))


@pytest.mark.slow
def test_prior_predictive_data_are_calibrated() -> None:
    data = make(MODELS[0], sizes=(2, 3, 3, 4))
    rng = np.random.default_rng(8)
    ranks = []
    for _ in range(120):
        truth, arrays = varying_intercept.prior_predictive(data, rng)
        drawn = varying_intercept.reference(replace(data, arrays=arrays)).draw(39, rng)
        values = [(np.ravel(truth[n])[0], drawn[n].reshape(39, -1)[:, 0]) for n in data.names]
        ranks.append([int(np.sum(d < t)) for t, d in values])
    for column in np.array(ranks).T:
        counts = np.bincount(column // 4, minlength=10)  # 40 ranks in tens, 12 expected in each
        assert stats.chisquare(counts).pvalue > 1e-4


def test_rows_of_a_holdout_are_of_the_same_groups() -> None:
    spec = scenario("varying-intercept", {"n_per_group": [400, 800], "tau": 2.0, "holdout.n_obs": 3000})
    data = dataset(spec, seed=3, rep=0)
    truth, held = data.truth, data.holdout
    assert data.arrays["group"].tolist() == [0.0] * 400 + [1.0] * 800 and data.arrays["x"].shape == (1200, 2)
    assert set(held["group"]) == {0.0, 1.0} and len(held["y"]) == 3000
    for rows in (data.arrays, held):
        left = rows["y"] - truth["a"][rows["group"].astype(int)] - rows["x"] @ truth["weights"]
        # Five standard errors of a mean and of an sd at a fixed seed.
        assert abs(left.mean()) < 5 / np.sqrt(len(left)) and abs(left.std() - 1) < 5 / np.sqrt(2 * len(left))
    draws = {k: np.asarray(v)[None] for k, v in truth.items()}
    law = stats.norm(varying_intercept.predict(data, draws, held), 1.0)
    np.testing.assert_allclose(varying_intercept.log_likelihood(data, draws, held), law.logpdf(held["y"]))
    np.testing.assert_allclose(varying_intercept.observation_cdf(data, draws, held), law.cdf(held["y"]), atol=1e-14)


def test_sizes_are_dealt_evenly_and_features_may_be_none() -> None:
    settings = varying_intercept.settings(
        {"n_obs": 11, "n_groups": 4, "weights": [], "tau": 1.0, "noise": 1.0}, fixed=False
    )
    assert settings["n_per_group"] == [3, 3, 3, 2] and settings["n_features"] == 0
    spec = scenario("varying-intercept", {"weights": {"normal": [0, 1]}, "n_features": 3})
    first, second = (dataset(spec, seed=1, rep=rep).truth["weights"] for rep in range(2))
    assert first.shape == (3,) and not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"parametrisation": "both"}, ["parametrisation", "non-centred, centred"]),
        ({"n_obs": 20}, ["n_per_group", "either"]),
        ({"n_per_group": 4}, ["n_groups", "must be given"]),
        ({"n_per_group": [4]}, ["n_per_group", "2 or more"]),
        ({"n_per_group": [4, 0]}, ["n_per_group[1]", "at least 1"]),
        ({"n_groups": 3}, ["n_per_group", "each of n_groups"]),
        ({"n_features": 3}, ["n_features", "2 values"]),
        ({"weights": {"normal": [0, 1]}}, ["n_features", "rule"]),
        ({"weights": []}, ["priors.weights", "mu, tau, sigma"]),
        ({"features": {"constant_columns": [1.0]}}, ["features.constant_columns", "mu"]),
        ({"tau": 0.0}, ["tau", "greater than 0"]),
        ({"bias": 0.0}, ["bias"]),
        ({"data.file": "data/s0.csv"}, ["data", "generates"]),
        ({"priors.sigma": {"uniform": [-1, 3]}}, ["priors.sigma", "at least 0"]),
        ({"priors.weights": {"cauchy": [0, 1]}}, ["priors.weights", "normal"]),
        ({"start.a": 0.0}, ["start.a", "mu, tau, eta, weights, sigma"]),
        ({"predict.x": [[0.5]]}, ["predict", "no new inputs"]),
        ({"holdout.outside": 1}, ["holdout.outside", "n_obs"]),
    ],
)
def test_what_cannot_be_is_refused_by_name(overrides: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario("varying-intercept", overrides)
    assert all(word in str(caught.value) for word in words)

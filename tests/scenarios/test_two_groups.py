"""The family `two_groups` against scipy densities, adaptive quadrature and other optimisers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from bench.catalog.scenarios import load, scenario
from bench.data import dataset
from bench.errors import NoReference, ScenarioError
from bench.types import Array, Dataset, Parameter, Prior
from scenarios.families.common import transforms
from scenarios.families.two_groups.two_groups import FAMILY as two_groups

SCIPY: Mapping[str, Any] = {
    "normal": stats.norm,
    "uniform": lambda low, high: stats.uniform(low, high - low),
    "exponential": lambda rate: stats.expon(scale=1 / rate),
    "half_normal": lambda scale: stats.halfnorm(scale=scale),
    "half_cauchy": lambda scale: stats.halfcauchy(scale=scale),
    "log_normal": lambda loc, scale: stats.lognorm(scale, scale=np.exp(loc)),
}
NORMAL = Prior("normal", (0.2, 1.0))
SIGMAS = [
    Prior("uniform", (0.0, 100.0)),
    Prior("uniform", (0.6, 2.5)),
    Prior("exponential", (2.0,)),
    Prior("half_normal", (2.0,)),
    Prior("half_cauchy", (1.0,)),
    Prior("log_normal", (0.0, 1.0)),
]
MODELS = [(NORMAL, s) for s in SIGMAS] + [(Prior("flat"), SIGMAS[0]), (Prior("flat"), SIGMAS[4])]
IDS = [f"{m.name}-{s}" for m, s in MODELS]


def make(mu: Prior, sigma: Prior, sizes: tuple[int, int] = (8, 13)) -> Dataset:
    rng = np.random.default_rng(11)
    bounds = sigma.args if sigma.name == "uniform" else (0.0, np.inf)
    arrays = {"y1": 1.1 + 0.9 * rng.standard_normal(sizes[0]), "y2": -0.3 + 1.4 * rng.standard_normal(sizes[1])}
    parameters = (Parameter("mu", (2,)), Parameter("sigma", (2,), *bounds))
    return Dataset("two_groups", parameters, arrays, {"mu": mu, "sigma": sigma})


def scipy_log_posterior(data: Dataset, mu: Array, sigma: Array) -> float:
    """Natural space, from scipy.stats only."""
    total = 0.0
    for g, y in enumerate((data.arrays["y1"], data.arrays["y2"])):
        total += stats.norm(mu[g], sigma[g]).logpdf(y).sum()
        for prior, value in ((data.priors["mu"], mu[g]), (data.priors["sigma"], sigma[g])):
            total += 0.0 if prior.name == "flat" else float(SCIPY[prior.name](*prior.args).logpdf(value))
    return float(total)


@pytest.mark.parametrize(("mu", "sigma"), MODELS, ids=IDS)
def test_log_density_is_scipys_with_the_jacobian(mu: Prior, sigma: Prior) -> None:
    data = make(mu, sigma)
    z = np.random.default_rng(1).uniform(-2, 2, (2, 3, 4))
    values, gradients = two_groups.log_density(data, z)
    draws = two_groups.constrain(data, z)
    p, h = data.parameter("sigma"), 1e-6
    assert values.shape == (2, 3) and gradients.shape == z.shape
    np.testing.assert_allclose(two_groups.unconstrain(data, draws), z, atol=1e-12)  # logit of sigma near its bound
    for at in np.ndindex(2, 3):
        up, down = (transforms.to_natural(z[at][2:] + s, p.lower, p.upper) for s in (h, -h))
        expected = scipy_log_posterior(data, draws["mu"][at], draws["sigma"][at]) + np.log((up - down) / (2 * h)).sum()
        # The Jacobian here is a central difference: about eps/h = 1e-10.
        assert values[at] == pytest.approx(expected, rel=1e-9)
        slope = optimize.approx_fprime(z[at], lambda q: two_groups.log_density(data, q)[0], 1e-7)
        # Forward differences: 1e-7 of truncation times a curvature of the gradient's own size and more.
        np.testing.assert_allclose(gradients[at], slope, rtol=1e-4, atol=1e-4 * np.abs(gradients[at]).max())


def brute(data: Dataset, group: int) -> tuple[Array, Array, Array]:
    """One group on a dense grid of (mu, sigma): both axes and their joint mass, by Gauss–Legendre in panels."""
    y = data.arrays[f"y{group + 1}"]
    prior = data.priors["sigma"]
    lower, upper = prior.args if prior.name == "uniform" else (0.0, np.inf)
    top = min(upper, 40.0)  # σ⁻⁸ and less of mass beyond: 1e-10 of it
    mu, w_mu = panels(np.linspace(y.mean() - 12, y.mean() + 12, 61), 10)
    edges = np.unique(np.concatenate([[lower or 1e-3, top], np.geomspace(max(lower, 0.05), top, 60)]))
    sigma, w_sigma = panels(edges, 10)
    logs = -len(y) * np.log(sigma) - 0.5 * ((y[:, None] - mu) ** 2).sum(0)[:, None] / sigma**2
    logs = logs + SCIPY[prior.name](*prior.args).logpdf(sigma)
    if data.priors["mu"].name == "normal":
        logs = logs + stats.norm(*data.priors["mu"].args).logpdf(mu)[:, None]
    mass = np.exp(logs - logs.max()) * w_mu[:, None] * w_sigma
    return mu, sigma, mass / mass.sum()


def panels(edges: Array, order: int) -> tuple[Array, Array]:
    x, w = np.polynomial.legendre.leggauss(order)
    half = np.diff(edges)[:, None] / 2
    return ((edges[:-1, None] + half) + half * x).ravel(), (half * w).ravel()


@pytest.mark.parametrize(("mu", "sigma"), [MODELS[1], MODELS[2], MODELS[3]], ids=[IDS[1], IDS[2], IDS[3]])
def test_reference_and_derived_quantities_match_a_dense_grid(mu: Prior, sigma: Prior) -> None:
    data = make(mu, sigma)
    found = two_groups.reference(data)
    grids = [brute(data, g) for g in range(2)]
    moments = []
    for g, (at_mu, at_sigma, mass) in enumerate(grids):
        for name, x, w in (("mu", at_mu, mass.sum(1)), ("sigma", at_sigma, mass.sum(0))):
            mean = w @ x
            square = w @ (x - mean) ** 2
            assert found.mean[name][g] == pytest.approx(mean, abs=1e-9)  # order 10 in 60 panels: rounding of the sums
            assert found.sd[name][g] ** 2 == pytest.approx(square, rel=1e-9)
            spread = w @ (x - mean) ** 4 - square**2
            assert found.centred_square_variance[name][g] == pytest.approx(spread, rel=1e-7)  # the tail beyond σ = 40
            if name == "mu":
                moments.append((mean, square))
    exact = found.derived()
    assert exact["mu_diff"].mean == pytest.approx(moments[1][0] - moments[0][0], abs=1e-9)
    assert exact["mu_diff"].sd == pytest.approx(np.sqrt(moments[0][1] + moments[1][1]), rel=1e-9)
    # E[d/s] and E[d²/s²] over both groups' grids: means of mu and mu² given sigma, then a sum over pairs of sigma.
    (w1, a1, b1, s1), (w2, a2, b2, s2) = (given_sigma(*grid) for grid in grids)
    pooled = np.sqrt((s1[:, None] ** 2 + s2**2) / 2)
    weight = w1[:, None] * w2
    mean = (weight * (a2 - a1[:, None]) / pooled).sum()
    second = (weight * (b2 + b1[:, None] - 2 * a1[:, None] * a2) / pooled**2).sum()
    assert exact["effect_size"].mean == pytest.approx(mean, abs=1e-9)
    assert exact["effect_size"].sd == pytest.approx(np.sqrt(second - mean**2), rel=1e-9)


def given_sigma(mu: Array, sigma: Array, mass: Array) -> tuple[Array, Array, Array, Array]:
    weight = mass.sum(0)
    keep = weight > 1e-30
    mass, weight = mass[:, keep], weight[keep]
    return weight, mu @ mass / weight, mu**2 @ mass / weight, sigma[keep]


@pytest.mark.parametrize("name", ["mu_diff", "effect_size"])
def test_intervals_of_derived_quantities_are_quantiles(name: str) -> None:
    data = make(*MODELS[0])
    found = two_groups.reference(data)
    (w1, s1, m1, v1), (w2, s2, m2, v2) = (found._nodes(g) for g in range(2))
    exact = found.derived()

    def cdf(at: float) -> float:
        """P(d ≤ at·s) by conditioning on mu₁ | sigma₁ too: an adaptive integral over its normal for every pair."""
        pooled = np.sqrt((s1[:, None] ** 2 + s2**2) / 2) if name == "effect_size" else np.ones((len(s1), len(s2)))

        def inner(u: float) -> float:
            first = (m1 + v1 * u)[:, None]
            return float(w1 @ stats.norm.cdf((first + at * pooled - m2) / v2) @ w2) * float(stats.norm.pdf(u))

        return float(integrate.quad(inner, -9, 9, epsabs=1e-9, limit=60)[0])

    low, high = exact[name].q025, exact[name].q975
    assert low is not None and high is not None
    for at, level in ((low, 0.025), (high, 0.975)):
        assert cdf(float(at)) == pytest.approx(level, abs=1e-8)  # the integral's own tolerance
    if name == "mu_diff":
        assert cdf(0.0) == pytest.approx(float(exact["mu_diff<0"].mean), abs=1e-8)


def test_reference_draws_have_its_moments_and_ranks() -> None:
    data = make(*MODELS[0])
    found, n = two_groups.reference(data), 40_000
    draws = found.draw(n, np.random.default_rng(2))
    exact = found.derived()
    for name in ("mu", "sigma"):
        assert draws[name].shape == (n, 2)
        ranks = found.cdf(name, draws[name][:4000])
        for g in range(2):
            # A Kolmogorov–Smirnov p-value below 1e-4 has that chance; the seed is fixed.
            assert stats.kstest(ranks[:, g], "uniform").pvalue > 1e-4
        levels = np.array([0.1, 0.5, 0.99])
        back = found.cdf(name, found.quantile(name, levels))
        np.testing.assert_allclose(back, np.stack([levels, levels], 1), atol=1e-10)  # cdf is good to 1e-11
    for name, values in two_groups.derived(data, draws).items():
        error = 5 * values.std() / np.sqrt(n)  # five standard errors of the mean of n independent draws
        assert values.mean() == pytest.approx(float(exact[name].mean), abs=error)
    correlation = np.corrcoef(draws["mu"].T)[0, 1]
    assert abs(correlation) < 5 / np.sqrt(n)  # groups are independent


def test_log_evidence_is_the_integral_of_the_density() -> None:
    data = make(NORMAL, SIGMAS[1], sizes=(4, 5))
    mu, w_mu = panels(np.linspace(-9, 10, 61), 10)
    sigma, w_sigma = panels(np.linspace(0.6, 2.5, 21), 10)
    total = 0.0
    for g in range(2):
        y = data.arrays[f"y{g + 1}"]
        logs = stats.norm(mu[:, None], sigma).logpdf(y[:, None, None]).sum(0) + stats.norm(0.2, 1).logpdf(mu)[:, None]
        total += np.log(w_mu @ np.exp(logs) @ w_sigma / (2.5 - 0.6))
    # The grid is exact to rounding; the reference's own rule to 1e-13 per group.
    assert two_groups.reference(data).log_evidence == pytest.approx(total, abs=1e-11)


@pytest.mark.parametrize("name", ["least_squares", "map", "map_unconstrained"])
@pytest.mark.parametrize(("mu", "sigma"), MODELS, ids=IDS)
def test_optimum_is_what_nelder_mead_cannot_improve(mu: Prior, sigma: Prior, name: str) -> None:
    data = make(mu, sigma)
    best, least = two_groups.optimum(data, name)
    start = two_groups.unconstrain(data, {k: np.clip(v, data.parameter(k).lower + 0.05, data.parameter(k).upper - 0.05)
                                          for k, v in best.items()})  # fmt: skip
    if name == "least_squares":
        assert least == pytest.approx(0.5 * (8 + 13), rel=1e-12)  # RSS/(2·RSS/n) per group
        for g, y in enumerate((data.arrays["y1"], data.arrays["y2"])):
            assert best["mu"][g] == pytest.approx(y.mean())
            assert best["sigma"][g] == pytest.approx(np.sqrt(np.mean((y - y.mean()) ** 2)))
        return
    assert least == pytest.approx(two_groups.objective(data, name, best), abs=1e-12)
    if name == "map":
        assert least == pytest.approx(-scipy_log_posterior(data, best["mu"], best["sigma"]), abs=1e-9)
    found = optimize.minimize(
        lambda z: two_groups.objective(data, name, two_groups.constrain(data, z)), start + 0.1, method="Nelder-Mead",
        options={"xatol": 1e-5, "fatol": 1e-9, "maxiter": 4000, "maxfev": 4000},
    )  # fmt: skip
    assert least <= found.fun + 1e-9
    assert found.fun == pytest.approx(least, abs=1e-6)  # the simplex stops within its own tolerances


def test_prediction_likelihood_and_cdf_of_rows_by_group() -> None:
    data = make(*MODELS[0])
    rng = np.random.default_rng(4)
    draws = two_groups.constrain(data, rng.uniform(-1, 1, (3, 5, 4)))
    new = {"group": np.array([1.0, 0.0, 1.0]), "y": rng.standard_normal(3)}
    for i, g in enumerate((1, 0, 1)):
        law = stats.norm(draws["mu"][..., g], draws["sigma"][..., g])
        np.testing.assert_array_equal(two_groups.predict(data, draws, new)[..., i], draws["mu"][..., g])
        # Rounding only, of both sides; 1e-14 for distribution functions far in a tail.
        np.testing.assert_allclose(two_groups.log_likelihood(data, draws, new)[..., i], law.logpdf(new["y"][i]))
        below = two_groups.observation_cdf(data, draws, new)[..., i]
        np.testing.assert_allclose(below, law.cdf(new["y"][i]), atol=1e-14)
    own = two_groups.log_likelihood(data, draws, data.arrays)
    first = stats.norm(draws["mu"][..., :1], draws["sigma"][..., :1]).logpdf(data.arrays["y1"])
    assert own.shape == (3, 5, 21)
    np.testing.assert_allclose(own[..., :8], first)


def test_simulation_follows_its_settings() -> None:
    spec = scenario("s3-best", {"n_obs": [4000, 9000], "means": [3.0, -1.0], "noise": [0.5, 2.0], "holdout.n_obs": 50})
    data = dataset(spec, seed=3, rep=0)
    assert data.names == ("mu", "sigma") and data.arrays["y1"].shape == (4000,) and data.arrays["y2"].shape == (9000,)
    for g, (mean, sd) in enumerate(((3.0, 0.5), (-1.0, 2.0))):
        y = data.arrays[f"y{g + 1}"]
        assert abs(y.mean() - mean) < 5 * sd / np.sqrt(len(y))  # five standard errors, at a fixed seed
        assert abs(y.std() / sd - 1) < 5 / np.sqrt(2 * len(y))
    assert data.holdout["group"].tolist() == [0.0] * 50 + [1.0] * 50 and data.holdout["y"].shape == (100,)
    assert not set(data.holdout["y"]) & set(data.arrays["y1"])
    assert not np.array_equal(data.arrays["y1"], dataset(spec, seed=3, rep=1).arrays["y1"])


def test_one_number_serves_both_groups() -> None:
    spec = scenario("s3-best", {"n_obs": 30, "noise": 2.0, "start.sigma": 1.5, "start.mu": {"normal": [0, 1]}})
    assert spec.settings["n_obs"] == [30, 30] and spec.settings["noise"] == [2.0, 2.0]
    begun = dataset(spec, seed=1, rep=0).start
    assert begun["sigma"].tolist() == [1.5, 1.5] and begun["mu"].shape == (2,) and begun["mu"][0] != begun["mu"][1]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"n_obs": [20]}, ["n_obs", "two whole numbers"]),
        ({"n_obs": [20, 1]}, ["n_obs", "at least 2"]),
        ({"noise": [1.0, 0.0]}, ["noise[1]", "greater than 0"]),
        ({"means": [0.0, 1.0, 2.0]}, ["means", "2 numbers"]),
        ({"weights": [1.0]}, ["weights", "means"]),
        ({"priors.mu": {"cauchy": [0, 1]}}, ["priors.mu", "normal"]),
        ({"priors.sigma": {"uniform": [-1, 3]}}, ["priors.sigma", "at least 0"]),
        ({"start.sigma": -1.0}, ["start.sigma", "(0, 100)"]),
        ({"start.tau": 1.0}, ["start.tau", "mu, sigma"]),
        ({"holdout.n_obs": 1}, ["holdout.n_obs", "at least 2"]),
        ({"holdout.outside": 1}, ["holdout.outside", "n_obs"]),
        ({"predict.x": [[0.5]]}, ["predict", "no inputs"]),
        ({"data.file": "data/s0.csv"}, ["data.file", "group,y"]),
        ({"data.file": "data/none.csv"}, ["data.file", "CSV"]),
    ],
)
def test_what_cannot_be_is_refused_by_name(overrides: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario("s3-best", overrides)
    assert all(word in str(caught.value) for word in words)


FILE = 'family = "two_groups"\n[data]\nfile = "rows.csv"\n[priors]\nmu = "flat"\nsigma = {half_cauchy = 1}\n'


def test_data_of_a_file_are_the_same_in_every_rep(tmp_path: Any) -> None:
    (tmp_path / "rows.csv").write_text("group,y\n1,0.5\n2,1.5\n1,0.7\n2,2.5\n2,3.5\n")
    (tmp_path / "own.toml").write_text(FILE)
    spec = load(tmp_path / "own.toml")
    first, second = (dataset(spec, seed=1, rep=rep) for rep in range(2))
    assert first.arrays["y1"].tolist() == [0.5, 0.7] and first.arrays["y2"].tolist() == [1.5, 2.5, 3.5]
    assert first.digest == second.digest and first.truth == {} and first.holdout == {}
    assert any("Improper" in note for note in two_groups.notes(spec))
    with pytest.raises(ScenarioError, match="leave n_obs out"):
        (tmp_path / "own.toml").write_text("n_obs = [2, 2]\n" + FILE)
        load(tmp_path / "own.toml")
    (tmp_path / "rows.csv").write_text("group,y\n1,0.5\n3,1.5\n")
    with pytest.raises(ScenarioError, match="1 or 2"):
        load(tmp_path / "own.toml")


def test_too_few_rows_under_flat_priors_have_no_reference() -> None:
    data = make(Prior("flat"), Prior("half_cauchy", (1.0,)), sizes=(2, 9))
    with pytest.raises(NoReference, match="too few"):
        two_groups.reference(data)

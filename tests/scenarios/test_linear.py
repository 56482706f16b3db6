"""Density, gradient, prediction and optima of the family `linear` against independent computations."""

import numpy as np
import pytest
from scipy import optimize, stats

from bench.errors import NoReference
from bench.types import Prior
from scenarios.families.common import transforms
from scenarios.families.regression import regression
from scenarios.families.regression.linear import FAMILY as linear

SCIPY = {
    "normal": lambda loc, scale: stats.norm(loc, scale),
    "uniform": lambda low, high: stats.uniform(low, high - low),
    "student_t": lambda df, loc, scale: stats.t(df, loc, scale),
    "cauchy": lambda loc, scale: stats.cauchy(loc, scale),
    "exponential": lambda rate: stats.expon(scale=1 / rate),
    "half_normal": lambda scale: stats.halfnorm(scale=scale),
    "half_cauchy": lambda scale: stats.halfcauchy(scale=scale),
    "log_normal": lambda loc, scale: stats.lognorm(scale, scale=np.exp(loc)),
}

WIDE, FLAT = Prior("normal", (0.0, 10.0)), Prior("flat")
STUDENT, CAUCHY = Prior("student_t", (3.0, 0.0, 1.0)), Prior("cauchy", (0.0, 2.0))
MODELS = [
    {"weights": WIDE, "bias": WIDE, "sigma": Prior("exponential", (2.0,))},
    {"weights": FLAT, "bias": FLAT, "sigma": Prior("half_cauchy", (1.0,))},
    {"weights": Prior("uniform", (-8.0, 9.0)), "bias": FLAT, "sigma": Prior("uniform", (0.1, 3.0))},
    {"weights": STUDENT, "bias": CAUCHY, "sigma": Prior("log_normal", (0.0, 1.0))},
    {"weights": Prior("normal", (1.0, 2.0)), "sigma": Prior("half_normal", (2.0,))},
    {"weights": WIDE, "bias": FLAT, "sigma": Prior("known", (0.5,))},
    {"weights": FLAT, "sigma": FLAT},
]
IDS = ["-".join(p.name for p in m.values()) for m in MODELS]


@pytest.fixture
def table(rng):
    x = rng.standard_normal((25, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]])
    return x, x @ [1.5, -2.8] + 0.5 + 0.7 * rng.standard_normal(25)


def scipy_log_posterior(data, weights, bias, sigma):
    """Natural space, from scipy.stats only."""
    x, y = data.arrays["x"], data.arrays["y"]
    total = stats.norm(x @ weights + bias, sigma).logpdf(y).sum()
    for name, value in (("weights", weights), ("bias", bias), ("sigma", sigma)):
        prior = data.priors.get(name)
        if prior is not None and prior.name not in ("flat", "known"):
            total += np.sum(SCIPY[prior.name](*prior.args).logpdf(value))
    return total


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_log_density_is_scipys_with_the_jacobian(model, table, data_of, rng):
    data = data_of(*table, model)
    z = rng.uniform(-2, 2, (2, 3, data.dim))
    values, gradients = linear.log_density(data, z)
    ends = np.cumsum([p.size for p in data.parameters])[:-1]
    assert values.shape == (2, 3) and gradients.shape == z.shape
    for index in np.ndindex(2, 3):
        one = {k: v[index] for k, v in linear.constrain(data, z).items()}
        sigma = one.get("sigma", 0.5)
        expected = scipy_log_posterior(data, one["weights"], one.get("bias", 0.0), sigma)
        for p, at in zip(data.parameters, np.split(z[index], ends), strict=True):
            h = 1e-6
            if np.isfinite(p.lower) or np.isfinite(p.upper):
                up, down = (transforms.to_natural(at + s, p.lower, p.upper) for s in (h, -h))
                expected += np.log((up - down) / (2 * h)).sum()
        # The Jacobian here is a central difference: about eps/h = 1e-10.
        assert values[index] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_gradient_is_the_slope_of_the_log_density(model, table, data_of, rng):
    data = data_of(*table, model)
    z = rng.uniform(-2, 2, (8, data.dim))
    gradient = linear.log_density(data, z)[1]
    h = 1e-4
    steps = h * np.eye(data.dim)

    def central(width):
        up, down = (linear.log_density(data, z[:, None] + s * width * steps)[0] for s in (1, -1))
        return (up - down) / (2 * width * h)

    numeric = (4 * central(1.0) - central(2.0)) / 3
    # Richardson leaves h⁴ of truncation and eps·|value|/h of rounding, value up to 1e4 nats.
    np.testing.assert_allclose(gradient, numeric, rtol=1e-7, atol=1e-7 * np.abs(gradient).max())


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_unconstrain_inverts_constrain(model, table, data_of, rng):
    data = data_of(*table, model)
    z = rng.uniform(-2, 2, (4, 3, data.dim))
    np.testing.assert_allclose(linear.unconstrain(data, linear.constrain(data, z)), z, atol=1e-13)


def test_log_density_in_chunks_is_the_same(table, data_of, rng, monkeypatch):
    data = data_of(*table, MODELS[0])
    z = rng.uniform(-2, 2, (17, data.dim))
    whole = linear.log_density(data, z)
    monkeypatch.setattr(regression, "CHUNK", 60)
    for a, b in zip(whole, linear.log_density(data, z), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


@pytest.mark.parametrize("model", [MODELS[0], MODELS[4], MODELS[5]], ids=["bias", "no-bias", "known"])
def test_prediction_and_pointwise_likelihood(model, table, data_of, rng):
    data = data_of(*table, model)
    draws = linear.constrain(data, rng.uniform(-1, 1, (4, 3, data.dim)))
    new = {"x": rng.standard_normal((6, 2)), "y": rng.standard_normal(6)}
    mean = linear.predict(data, draws, new)
    pointwise = linear.log_likelihood(data, draws, new)
    assert mean.shape == pointwise.shape == (4, 3, 6)
    for c, s in np.ndindex(4, 3):
        expected = new["x"] @ draws["weights"][c, s] + (draws["bias"][c, s] if "bias" in draws else 0.0)
        np.testing.assert_allclose(mean[c, s], expected, rtol=1e-12, atol=1e-13)
        sigma = draws["sigma"][c, s] if "sigma" in draws else 0.5
        np.testing.assert_allclose(pointwise[c, s], stats.norm(expected, sigma).logpdf(new["y"]), rtol=1e-12)


@pytest.mark.parametrize("name", ["map", "map_unconstrained"])
@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_optimum_is_stationary_and_least(model, name, table, data_of, rng):
    data = data_of(*table, model)
    found, least = linear.optimum(data, name)
    z = linear.unconstrain(data, found)

    def objective(at):
        return linear.objective(data, name, linear.constrain(data, at))

    # A quadratic bowl of curvature up to N/sigma² = 1e3: steps of 1e-3 raise it by more than its rounding of 1e-14.
    for step in 1e-3 * rng.standard_normal((20, data.dim)):
        assert objective(z + step) > least
    # From 1 sd away an independent optimiser comes back to the same place, to the √eps it can see.
    other = optimize.minimize(objective, z + 0.1 * rng.standard_normal(data.dim), method="BFGS", options={"gtol": 1e-7})
    assert other.fun >= least - 1e-10
    np.testing.assert_allclose(other.x, z, atol=2e-5)


def test_natural_and_unconstrained_maps_differ_in_sigma(table, data_of):
    data = data_of(*table, MODELS[6])
    x, y = data.arrays["x"], data.arrays["y"]
    rss = np.linalg.lstsq(x, y)[1][0]
    # Flat priors: sigma² is RSS/N in natural space and RSS/(N − 1) with the Jacobian 1/sigma; rounding only.
    assert linear.optimum(data, "map")[0]["sigma"] == pytest.approx(np.sqrt(rss / 25), rel=1e-13)
    assert linear.optimum(data, "map_unconstrained")[0]["sigma"] == pytest.approx(np.sqrt(rss / 24), rel=1e-13)


def test_map_of_known_sigma_is_ridge(table, data_of):
    coefficients = {"weights": Prior("normal", (1.0, 2.0)), "bias": Prior("normal", (-1.0, 3.0))}
    model = {**coefficients, "sigma": Prior("known", (0.5,))}
    data = data_of(*table, model)
    a = np.hstack([data.arrays["x"], np.ones((25, 1))])
    precision = np.diag([1 / 4, 1 / 4, 1 / 9])
    ridge = np.linalg.solve(a.T @ a / 0.25 + precision, a.T @ data.arrays["y"] / 0.25 + precision @ [1, 1, -1])
    found, _ = linear.optimum(data, "map")
    assert set(found) == {"weights", "bias"}
    # Two direct solutions of one well-conditioned system.
    np.testing.assert_allclose(np.append(found["weights"], found["bias"]), ridge, rtol=1e-12)


def test_least_squares_is_counted_in_nats(table, data_of):
    known = data_of(*table, MODELS[5])
    a = np.hstack([known.arrays["x"], np.ones((25, 1))])
    best, rss = np.linalg.lstsq(a, known.arrays["y"])[:2]
    found, least = linear.optimum(known, "least_squares")
    np.testing.assert_allclose(np.append(found["weights"], found["bias"]), best, rtol=1e-12)
    assert least == pytest.approx(rss[0] / (2 * 0.5**2), rel=1e-12)
    unknown = data_of(*table, MODELS[0])
    # s² = RSS*/N, so the least value is N/2 whatever the data.
    assert linear.optimum(unknown, "least_squares")[1] == pytest.approx(12.5, rel=1e-12)
    zero = {"weights": np.zeros(2), "bias": np.array(0.0)}
    expected = 12.5 * float(known.arrays["y"] @ known.arrays["y"]) / rss[0]
    assert linear.objective(unknown, "least_squares", zero) == pytest.approx(expected, rel=1e-12)


def test_map_at_an_active_bound_of_sigma(table, data_of):
    x, y = table
    data = data_of(x, 20 * y, {"weights": Prior("flat"), "bias": Prior("flat"), "sigma": Prior("uniform", (0.0, 2.0))})
    found, least = linear.optimum(data, "map")
    best = {**linear.optimum(data, "least_squares")[0], "sigma": np.array(2.0)}
    # The infimum sits on the bound itself; the logit comes within rounding of it.
    assert found["sigma"] == pytest.approx(2.0, rel=1e-11)
    assert least == pytest.approx(linear.objective(data, "map", best), rel=1e-11)


def test_map_of_a_hundred_weights_and_of_an_ill_conditioned_design(simulated_of):
    wide = {"n_obs": 1000, "n_features": 100, "weights": {"normal": [0, 1]}, "bias": 1.0, "noise": 1.0}
    ill = {**wide, "n_obs": 200, "n_features": 8}
    ill["features"] = {"design": "multivariate_normal", "condition_number": 1e4}
    for table in (wide, ill):
        data = simulated_of(table)
        for name in ("map", "map_unconstrained"):
            found, _ = linear.optimum(data, name)
            x, sigma = data.arrays["x"], found["sigma"]
            a = np.hstack([x, np.ones((len(x), 1))])
            # Given its sigma, the optimum solves a ridge regression; here by least squares of stacked rows.
            stacked = np.vstack([a / sigma, np.eye(a.shape[1]) / 10.0])
            ridge = np.linalg.lstsq(stacked, np.append(data.arrays["y"] / sigma, np.zeros(a.shape[1])))[0]
            got = np.append(found["weights"], found["bias"])
            sd = np.sqrt(np.diag(np.linalg.inv(stacked.T @ stacked)))
            # In posterior standard deviations; eps·κ² = 1e-8 bounds the Newton solve, κ² = 1e8.
            assert np.max(np.abs(got - ridge) / sd) < 1e-8


def test_an_interpolating_design_has_no_map(data_of, rng):
    x = rng.standard_normal((3, 5))
    data = data_of(x, rng.standard_normal(3), {"weights": Prior("flat"), "sigma": Prior("flat")})
    with pytest.raises(NoReference, match="interpolate"):
        linear.optimum(data, "map")
    # There is no noise to count in: the objective is RSS/2.
    assert linear.optimum(data, "least_squares")[1] < 1e-25


@pytest.mark.parametrize("rows", ["noiseless", "zero", "one row"])
def test_data_without_noise_have_no_map(rows, table, data_of):
    x, y = table[0], {"noiseless": table[0] @ [1.0, 2.0] + 1, "zero": np.zeros(25), "one row": table[1]}[rows]
    n = 1 if rows == "one row" else 25
    with pytest.raises(NoReference, match="interpolate"):
        linear.optimum(data_of(x[:n], y[:n], MODELS[0]), "map")


def test_objective_outside_the_support_is_infinite(table, data_of):
    data = data_of(*table, MODELS[0])
    params = {"weights": np.zeros(2), "bias": np.array(0.0), "sigma": np.array(-1.0)}
    assert linear.objective(data, "map", params) == np.inf
    with pytest.raises(ValueError, match="known: least_squares"):
        linear.objective(data, "median", params)

"""Simulated, stored and remade data of the family `linear`."""

import numpy as np
import pytest

from bench.data import dataset
from bench.types import Prior
from scenarios.families.regression.linear import FAMILY as linear

WIDE = {"n_features": 4, "weights": {"normal": [0, 1]}, "bias": 0.5, "noise": 0.3}
S4 = {"n_obs": 1000, "weights": [2.0], "bias": 1.0, "noise": 0.1}
RECIPE = {"recipe": "legacy_normal", "seed": 42}


def test_generated_data_follow_their_truth_and_are_fresh_per_rep(simulated_of):
    data = simulated_of({**WIDE, "n_obs": 20_000})
    again, other = simulated_of({**WIDE, "n_obs": 20_000}), simulated_of({**WIDE, "n_obs": 20_000}, rep=1)
    assert data.digest == again.digest != other.digest
    assert not np.array_equal(data.truth["weights"], other.truth["weights"])
    for rows in (data.arrays, data.holdout):
        noise = rows["y"] - rows["x"] @ data.truth["weights"] - 0.5
        # The sd of n normals has relative standard error 1/√(2n); five of them.
        assert noise.std() == pytest.approx(0.3, rel=5 / np.sqrt(2 * len(noise)))
        assert rows["x"].dtype == rows["y"].dtype == np.float64
    assert data.holdout["x"].shape == (1000, 4)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"constant": 0.5}, [0.5] * 4),
        ({"linspace": [-1, 1]}, [-1, -1 / 3, 1 / 3, 1]),
        ({"sparse": [2, 3.0]}, [3, 3, 0, 0]),
    ],
)
def test_weight_rules(simulated_of, rule, expected):
    np.testing.assert_allclose(simulated_of({**WIDE, "n_obs": 10, "weights": rule}).truth["weights"], expected)


def test_correlated_design_has_its_correlation(simulated_of):
    features = {"design": "multivariate_normal", "correlation": 0.95}
    x = simulated_of({**WIDE, "n_obs": 20_000, "features": features}).arrays["x"]
    # Standard error of a correlation: (1 − ρ²)/√n = 7e-4; of a variance: √(2/n) = 0.01; five of each.
    np.testing.assert_allclose(np.corrcoef(x.T)[np.triu_indices(4, 1)], 0.95, atol=3.5e-3)
    np.testing.assert_allclose(x.var(axis=0), 1.0, atol=0.05)


def test_condition_number_is_that_of_the_population_design(simulated_of):
    features = {"design": "multivariate_normal", "condition_number": 1e4}
    data = simulated_of({**WIDE, "n_obs": 20_000, "features": features})
    values = np.linalg.svd(data.arrays["x"], compute_uv=False)
    # Each singular value of n rows is within about √(J/n) = 1.4 % of the population's; 5 %.
    assert values[0] / values[-1] == pytest.approx(1e4, rel=0.05)
    held = np.linalg.svd(data.holdout["x"], compute_uv=False)
    shared = np.linalg.svd(np.vstack([data.arrays["x"], data.holdout["x"]]), compute_uv=False)
    # Hold-out rows share the rotation: stacked with them, the design is no better conditioned.
    assert shared[0] / shared[-1] == pytest.approx(1e4, rel=0.05)
    assert held[0] / held[-1] > 1e3


def test_constant_columns_come_last_and_count(simulated_of):
    table = {**WIDE, "n_obs": 12, "bias": "none", "features": {"design": "uniform", "constant_columns": [1.0, 2.0]}}
    data = simulated_of(table)
    assert data.arrays["x"].shape == (12, 4)
    assert np.all(data.arrays["x"][:, 2:] == [1.0, 2.0])
    assert np.all((data.arrays["x"][:, :2] > 0.0) & (data.arrays["x"][:, :2] < 1.0))
    assert "bias" not in data.truth
    assert data.names == ("weights", "sigma")


def test_outside_rows_are_equally_spaced_and_noiseless(simulated_of):
    table = {"n_obs": 100, "weights": [3.0], "bias": 1.0, "noise": 0.01, "features": "uniform"}
    priors = {"weights": Prior("flat"), "bias": Prior("flat"), "sigma": Prior("known", (0.1,))}
    outside = {"outside": {"low": 6, "high": 7, "n_obs": 20}}
    data = simulated_of(table, priors=priors, holdout=outside)
    np.testing.assert_allclose(data.holdout["x_outside"][:, 0], np.linspace(6, 7, 20), rtol=1e-15)
    np.testing.assert_allclose(data.holdout["y_outside"], 1 + 3 * np.linspace(6, 7, 20), rtol=1e-15)
    assert data.truth["sigma"] == 0.01
    assert data.names == ("weights", "bias")
    assert len(data.holdout["y"]) == 100
    two = simulated_of({**table, "weights": [3.0, 1.0]}, priors=priors, holdout={"n_obs": 7, **outside})
    assert np.all((two.holdout["x_outside"] >= 6) & (two.holdout["x_outside"] <= 7))
    assert len(two.holdout["y"]) == 7


def test_s0_rows_are_those_of_the_source(scenario_of):
    table = {"weights": [1.5, -2.8], "bias": 10.5, "noise": 1.0}
    scenario = scenario_of(table, data={"file": "data/s0.csv"})
    one, two = dataset(scenario, seed=1, rep=0), dataset(scenario, seed=2, rep=5)
    assert one.digest == two.digest
    x, y = one.arrays["x"], one.arrays["y"]
    assert x.shape == (50, 2)
    design = np.hstack([x, np.ones((50, 1))])
    # The source's SGD (summed squared error, lr 0.01) sits at lr·λmax/2 ≈ 0.66 of its stability limit.
    assert 0.01 * np.linalg.eigvalsh(2 * design.T @ design)[-1] / 2 == pytest.approx(0.66, abs=0.005)
    # float32 draws: their residuals are the source's standard normals up to float32 rounding of y (≈ 20).
    noise = y - x @ [1.5, -2.8] - 10.5
    assert abs(noise.mean()) < 5 / np.sqrt(50)
    assert noise.std() == pytest.approx(1.0, rel=5 / np.sqrt(100))
    with pytest.raises(ValueError, match="read-only"):
        x[0, 0] = 1.0


def test_s4_recipe_is_the_sources_generator_to_the_bit(scenario_of):
    priors = {"weights": Prior("flat"), "bias": Prior("flat"), "sigma": Prior("half_normal", (1.0,))}
    data = dataset(scenario_of(S4, priors=priors, data=RECIPE), seed=7, rep=3)
    np.random.seed(42)
    x = np.random.randn(1000, 1)
    y = 1 + 2 * x + 0.1 * np.random.randn(1000, 1)
    w, b = np.random.randn(1), np.random.randn(1)
    assert np.array_equal(data.arrays["x"], x)
    # One rounding may fall elsewhere: (1 + 2x) + e in either order of addition.
    np.testing.assert_allclose(data.arrays["y"], y[:, 0], rtol=0, atol=4e-15)
    assert np.array_equal(data.start["weights"], w)
    assert data.start["bias"] == b[0]


def test_start_follows_its_rules(scenario_of):
    start = {"weights": {"uniform": [-10, 10]}, "bias": 2, "sigma": {"uniform": [0, 2]}}
    scenario = scenario_of(start=start)
    values = [linear.start(scenario, np.random.default_rng(seed)) for seed in range(200)]
    weights = np.array([v["weights"] for v in values])
    assert weights.shape == (200, 2)
    assert weights.min() < -9 and weights.max() > 9 and np.abs(weights).max() <= 10
    assert all(v["bias"] == 2 and 0 < v["sigma"] < 2 for v in values)
    assert linear.start(scenario_of(), np.random.default_rng(0)) == {}


def test_rows_without_a_stated_truth_have_neither_truth_nor_holdout(scenario_of):
    data = dataset(scenario_of({}, data={"file": "data/s0.csv"}), seed=1, rep=0)
    assert data.truth == {} and data.holdout == {}
    assert data.names == ("weights", "bias", "sigma")

"""Every impossible scenario is refused with its key, value and what is allowed."""

import pytest

from bench.errors import ScenarioError
from bench.types import Prior
from scenarios.families.regression.linear import FAMILY as linear

GOOD = {"n_obs": 30, "weights": [1.5, -2.8], "bias": 0.5, "noise": 0.7}
RULED = {"n_obs": 30, "n_features": 3, "noise": 0.7}
FILE = {"file": "data/s0.csv"}
RECIPE = {"recipe": "legacy_normal", "seed": 42}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"n_obs": True}, "n_obs"),
        ({"n_obs": 0}, "n_obs"),
        ({"n_obs": 10.0}, "n_obs"),
        ({"n_obs": 10**9}, "n_obs"),
        ({"n_features": 3}, "n_features"),
        ({"weights": []}, "weights"),
        ({"weights": "many"}, "weights"),
        ({"weights": [1.0, "a"]}, "weights[1]"),
        ({"weights": [1.0, float("nan")]}, "weights[1]"),
        ({"weights": {"normal": [0, 1]}}, "n_features"),
        ({"weights": {"normal": [0, -1]}, "n_features": 2}, "weights.normal"),
        ({"weights": {"normal": [0]}, "n_features": 2}, "weights.normal"),
        ({"weights": {"gamma": [1, 1]}, "n_features": 2}, "weights.gamma"),
        ({"weights": {"sparse": [3, 1.0]}, "n_features": 2}, "weights.sparse"),
        ({"weights": {"sparse": [1.5, 1.0]}, "n_features": 2}, "weights.sparse[0]"),
        ({"weights": {"linspace": [1.0]}, "n_features": 2}, "weights.linspace"),
        ({"bias": "no"}, "bias"),
        ({"bias": False}, "bias"),
        ({"noise": 0}, "noise"),
        ({"noise": -0.1}, "noise"),
        ({"noise": float("inf")}, "noise"),
        ({"features": "gamma"}, "features"),
        ({"features": {"design": "normal", "low": 0}}, "features.low"),
        ({"features": {"design": "uniform", "low": 1, "high": 1}}, "features.high"),
        ({"features": {"design": "multivariate_normal"}}, "features"),
        ({"features": {"design": "multivariate_normal", "correlation": 1.0}}, "features.correlation"),
        ({"features": {"design": "multivariate_normal", "condition_number": 0.5}}, "features.condition_number"),
        ({"features": {"constant_columns": [1.0]}}, "features.constant_columns"),
        ({"features": {"constant_columns": [1.0, 1.0]}, "bias": "none"}, "features.constant_columns"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_settings_name_their_key(changes, key):
    with pytest.raises(ScenarioError) as caught:
        linear.settings({**GOOD, **changes}, fixed=False)
    assert caught.value.key == key
    assert caught.value.allowed


@pytest.mark.parametrize("missing", ["n_obs", "weights", "noise"])
def test_generated_data_need_their_truth(missing):
    with pytest.raises(ScenarioError, match=missing):
        linear.settings({k: v for k, v in GOOD.items() if k != missing}, fixed=False)


def test_compound_symmetry_has_a_lower_limit_that_depends_on_the_width():
    features = {"design": "multivariate_normal", "correlation": -0.6}
    linear.settings({**RULED, "n_features": 2, "weights": {"constant": 1}, "features": features}, fixed=False)
    with pytest.raises(ScenarioError, match=r"-0\.5"):
        linear.settings({**RULED, "weights": {"constant": 1}, "features": features}, fixed=False)


@pytest.mark.parametrize(
    ("kwargs", "key"),
    [
        ({"priors": {"weights": Prior("flat"), "sigma": Prior("flat")}}, "priors.bias"),
        ({"priors": {"weights": Prior("half_normal", (1.0,))}}, "priors.weights"),
        ({"priors": {"weights": Prior("normal", (0.0, 0.0))}}, "priors.weights"),
        ({"priors": {"sigma": Prior("normal", (0.0, 1.0))}}, "priors.sigma"),
        ({"priors": {"sigma": Prior("known", (0.0,))}}, "priors.sigma"),
        ({"priors": {"sigma": Prior("uniform", (-1.0, 1.0))}}, "priors.sigma"),
        ({"priors": {"tau": Prior("flat")}}, "priors.tau"),
        ({"start": {"tau": 1.0}}, "start.tau"),
        ({"start": {"sigma": -1.0}}, "start.sigma"),
        ({"start": {"sigma": {"normal": [0, 1]}}}, "start.sigma"),
        ({"start": {"weights": [1.0]}}, "start.weights"),
        ({"start": {"weights": {"uniform": [1, 0]}}}, "start.weights.uniform"),
        ({"holdout": {"rows": 3}}, "holdout.rows"),
        ({"holdout": {"n_obs": True}}, "holdout.n_obs"),
        ({"holdout": {"outside": {"low": 6, "n_obs": 20}}}, "holdout.outside.high"),
        ({"holdout": {"outside": {"low": 7, "high": 6, "n_obs": 20}}}, "holdout.outside.high"),
        ({"holdout": {"outside": {"low": "a", "high": 6, "n_obs": 20}}}, "holdout.outside.low"),
        ({"data": {"file": "data/none.csv"}, "table": {}}, "data.file"),
        ({"data": {**FILE, "seed": 1}, "table": {}}, "data.seed"),
        ({"data": {**FILE, **RECIPE}, "table": {}}, "data"),
        ({"data": FILE, "table": {"n_obs": 49}}, "n_obs"),
        ({"data": FILE, "table": {"weights": [1.0]}}, "n_features"),
        ({"data": FILE, "table": {"n_obs": 50}, "overrides": {"n_obs": 50}}, "n_obs"),
        ({"data": FILE, "table": {}, "holdout": {"n_obs": 5}}, "holdout"),
        ({"data": {"recipe": "mersenne", "seed": 1}}, "data.recipe"),
        ({"data": {"recipe": "legacy_normal"}}, "data.seed"),
        ({"data": RECIPE, "table": {**GOOD, "features": "uniform"}}, "features"),
        ({"data": RECIPE, "table": {**RULED, "weights": {"normal": [0, 1]}}}, "weights"),
        ({"data": RECIPE, "start": {"weights": 0.0}}, "start.weights"),
    ],
)
def test_wrong_tables_name_their_key(scenario_of, kwargs, key):
    wide = Prior("normal", (0.0, 10.0))
    if key.startswith("priors") and key != "priors.bias":
        kwargs = {"priors": {"weights": wide, "bias": wide, "sigma": Prior("exponential", (1.0,))} | kwargs["priors"]}
    with pytest.raises(ScenarioError) as caught:
        scenario_of(**{"table": GOOD, **kwargs})
    assert caught.value.key == key


def test_no_bias_takes_no_prior(scenario_of):
    assert [p.name for p in linear.parameters(scenario_of({**GOOD, "bias": "none"}))] == ["weights", "sigma"]
    with pytest.raises(ScenarioError, match=r"priors\.bias"):
        linear.check(_with_bias_prior(scenario_of({**GOOD, "bias": "none"})))


def _with_bias_prior(scenario):
    from dataclasses import replace

    return replace(scenario, priors={**scenario.priors, "bias": Prior("flat")})


def test_parameters_carry_the_bounds_of_their_priors(scenario_of):
    priors = {"weights": Prior("uniform", (-9.0, 9.0)), "bias": Prior("flat"), "sigma": Prior("uniform", (0.5, 7.0))}
    weights, bias, sigma = linear.parameters(scenario_of(GOOD, priors=priors))
    assert (weights.shape, weights.lower, weights.upper) == ((2,), -9.0, 9.0)
    assert (bias.shape, bias.lower) == ((), -float("inf"))
    assert (sigma.lower, sigma.upper) == (0.5, 7.0)
    known = linear.parameters(scenario_of(GOOD, priors={**priors, "sigma": Prior("known", (0.1,))}))
    assert [p.name for p in known] == ["weights", "bias"]
    flat = linear.parameters(scenario_of(GOOD, priors={**priors, "sigma": Prior("flat")}))
    assert (flat[-1].lower, flat[-1].upper) == (0.0, float("inf"))

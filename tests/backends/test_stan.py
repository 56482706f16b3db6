"""Stan's programs: their density, the gradients its NUTS takes, where its chains run, and what is built when.

A program takes half a minute to build, so the normal suite translates all of them and builds one, that of a linear
regression which the contract of backends builds as well.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.catalog.scenarios import load, scenario
from bench.data import dataset, family
from bench.types import Array, Dataset, Parameter, Place, Prior, Unavailable, Unsupported

pytestmark = pytest.mark.needs("stan")

ROOT = Path(__file__).parents[2]
EACH = Prior("student_t", ((3.0, 4.0, 5.0), (0.0, 0.5, -0.5), (1.0, 2.0, 3.0)))
PRIORS: dict[str, dict[str, Prior]] = {
    "normal": {"weights": Prior("normal", (0.5, 3.0)), "bias": EACH, "sigma": Prior("exponential", (2.0,))},
    "cauchy": {"weights": EACH, "bias": Prior("cauchy", (0.5, 2.0)), "sigma": Prior("log_normal", (0.3, 0.7))},
    "half": {"weights": Prior("flat"), "sigma": Prior("half_cauchy", (1.0,))},
    "bounds": {"weights": Prior("uniform", (-20.0, 30.0)), "sigma": Prior("uniform", (0.5, 10.0))},
    "known": {"weights": Prior("normal", (0.0, 3.0)), "bias": Prior("flat"), "sigma": Prior("known", (0.5,))},
}
PRIORS["normal"]["bias"] = Prior("half_normal", (2.0,))
"""Priors of a linear regression, in which every kind is seen, and arguments for each element; half have no bias."""
LAWS: dict[str, dict[str, Any]] = {
    "logistic": {"offset": {"normal": [0, 1]}},
    "logistic[probit]": {"link": "probit"},
    "binomial": {"offset": {"normal": [0, 1]}},
    "binomial[probit]": {"link": "probit"},
    "poisson-exposure": {},
    "negative-binomial": {},
    "gamma": {"priors.shape": {"uniform": [0.5, 9]}, "offset": {"normal": [0, 1]}},
    "gamma[known]": {"priors.shape": {"known": 0.7}},
    "robust-unknown-df": {},
    "robust": {},
    "s3-best": {},
    "eight-schools": {},
    "eight-schools-centred": {},
    "varying-intercept": {},
}


def linear_of(priors: dict[str, Prior]) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 3))
    supports = {"half_normal": (0.0, np.inf), "uniform": None}

    def parameter(name: str) -> Parameter:
        prior = priors[name]
        positive = (0.0, np.inf) if name == "sigma" else supports.get(prior.name, (-np.inf, np.inf))
        return Parameter(name, (3,) if name == "weights" else (), *(prior.args if prior.name == "uniform" else positive))

    parameters = tuple(parameter(name) for name, prior in priors.items() if prior.name != "known")
    return Dataset("linear", parameters, {"x": x, "y": x.sum(1) + rng.standard_normal(40)}, priors)


def data_of(case: str) -> Dataset:
    if case in PRIORS:
        return linear_of(PRIORS[case])
    name, changes = case.partition("[")[0], LAWS[case]
    sizes = {"n_obs": 40} if {"gamma", "binomial", "logistic"} & {name} else {}
    return dataset(scenario(name, {**sizes, **changes}), seed=0, rep=0)


@pytest.fixture
def models() -> ModuleType:
    return importlib.import_module("backends.stan.models")


@pytest.fixture
def runtime() -> Iterator[ModuleType]:
    module = importlib.import_module("backends.stan.runtime")
    yield module
    module.start(Place())


@pytest.mark.filterwarnings("ignore:path is deprecated:DeprecationWarning")  # of how httpstan finds its translator
@pytest.mark.parametrize("case", [*PRIORS, *LAWS])
def test_every_program_is_one(case: str, models: ModuleType) -> None:
    """By Stan's own translator, which says as much of names, types and shapes as the compiler would."""
    translate = importlib.import_module("httpstan.compile").compile
    cpp, _ = translate(models.program(data_of(case)), "a_model")
    assert "class a_model" in cpp


@pytest.mark.slow
@pytest.mark.parametrize("case", [*PRIORS, *LAWS])
def test_density_and_gradient_match_the_family(case: str, models: ModuleType) -> None:
    data = data_of(case)
    z = np.random.default_rng(1).uniform(-2, 2, (6, data.dim))
    value, gradient = models.log_density(data, z)
    expected, slope = family(data.family).log_density(data, z)
    # Stan leaves out constants; both sides are sums of tens of terms of up to 1e3, rounded at 1e-16 relative. Its
    # log Φ is a rational approximation.
    size = np.ptp(expected)
    np.testing.assert_allclose(value - value.mean(), expected - expected.mean(), rtol=0, atol=1e-12 * size)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-10 * np.abs(slope).max())

"""Gradients by hand: those of autograd and of the family's own reference, for every law, prior, support and scale."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.measure.runtime import runtime_of
from bench.types import Dataset, Parameter, Place, Prior
from tests import grouped

pytestmark = pytest.mark.needs("torch")

torch = importlib.import_module("torch")
gradients = importlib.import_module("backends.torch.gradients")
models = importlib.import_module("backends.torch.models")

UNIFORM, EACH = Prior("uniform", (-20.0, 30.0)), Prior("normal", (0.0, (1.0, 2.5)))
LINEAR: Mapping[str, tuple[Prior, Prior, Prior]] = {
    "one normal": (Prior("normal", (0.0, 10.0)), Prior("normal", (0.0, 10.0)), Prior("exponential", (2.0,))),
    "normals that differ": (Prior("normal", (0.0, 2.0)), Prior("normal", (0.5, 10.0)), Prior("half_normal", (2.0,))),
    "one for each": (EACH, Prior("normal", (0.0, 10.0)), Prior("uniform", (0.5, 9.0))),
    "all bounded": (UNIFORM, UNIFORM, Prior("known", (0.5,))),
    "kinds that differ": (UNIFORM, Prior("student_t", (3.0, 0.5, 2.0)), Prior("log_normal", (0.3, 0.7))),
    "heavy tails": (Prior("cauchy", (0.5, 2.0)), Prior("cauchy", (0.0, 2.0)), Prior("half_cauchy", (1.0,))),
    "flat": (Prior("flat"), Prior("flat"), Prior("flat")),
}
FLAT: Mapping[str, dict[str, object]] = {
    "robust-unknown-df": {},
    "robust": {"priors.sigma": {"known": 0.5}},
    "logistic": {"offset": {"normal": [0, 1]}},
    "binomial": {},
    "poisson-exposure": {},
    "negative-binomial": {},
    "gamma": {"priors.shape": {"uniform": [0.5, 9]}},
}
KNOWN: Mapping[str, dict[str, object]] = {
    "negative-binomial": {"priors.phi": {"known": 0.7}},
    "gamma": {"priors.shape": {"known": 0.7}},
}
GROUPED = [case for case in grouped.LAWS if "probit" not in case]


def linear(weights: Prior, bias: Prior, sigma: Prior) -> Dataset:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((30, 2)), rng.standard_normal(30)

    def site(name: str, shape: tuple[int, ...], prior: Prior, low: float) -> Parameter:
        return Parameter(name, shape, *(prior.args if prior.name == "uniform" else (low, np.inf)))

    parameters = [site("weights", (2,), weights, -np.inf), site("bias", (), bias, -np.inf)]
    if sigma.name != "known":
        parameters.append(site("sigma", (), sigma, 0.0))
    priors = {"weights": weights, "bias": bias, "sigma": sigma}
    return Dataset("linear", tuple(parameters), {"x": x, "y": y}, priors)


def cases() -> dict[str, Callable[[], Dataset]]:
    found: dict[str, Callable[[], Dataset]] = {name: lambda p=priors: linear(*p) for name, priors in LINEAR.items()}
    for mark, table in (("", FLAT), ("[known]", KNOWN)):
        for name, changes in table.items():
            found[name + mark] = lambda n=name, c=changes: dataset(scenario(n, {"n_obs": 30, **c}), seed=0, rep=0)
    for name in ("eight-schools", "eight-schools-centred", "s3-best", "varying-intercept"):
        found[name] = lambda n=name: dataset(scenario(n), seed=0, rep=0)
    for law in GROUPED:
        for centred in (False, True):
            found[f"{law}, {'centred' if centred else 'non-centred'}"] = lambda a=law, c=centred: grouped.make(
                a, centred=c
            )
    return found


CASES = cases()


@pytest.fixture(autouse=True)
def started() -> None:
    runtime_of("torch").start(Place())


def close(found: Any, wanted: Any) -> None:
    """To rounding: sums of at most 40 terms, taken in another order, each off by 1e-16 of the largest."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-13 * np.abs(wanted).max())


@pytest.mark.parametrize("case", CASES)
def test_they_are_those_of_autograd_and_of_the_family(case: str) -> None:
    data = CASES[case]()
    z = np.random.default_rng(1).uniform(-2, 2, (5, data.dim))
    arrays, at = models.to_tensors(data.arrays, Place()), torch.tensor(z)
    value, slope = gradients.by_hand(data, arrays)(at)
    auto, auto_slope = models.value_and_slope(data, arrays, "autograd")(at)
    expected, expected_slope = family(data.family).log_density(data, z)
    for other, other_slope in ((auto, auto_slope), (expected, expected_slope)):
        close(value - value.mean(), other - other.mean())
        close(slope, other_slope)
    natural = np.concatenate([x.reshape(5, -1) for x in models.constrain(data, at)[0].values()], 1)
    value, slope = gradients.by_hand(data, arrays, natural=True)(torch.tensor(natural))
    auto, auto_slope = models.value_and_slope(data, arrays, "autograd", natural=True)(torch.tensor(natural))
    close(value - value.mean(), auto - auto.mean())
    close(slope, auto_slope)
    alone = models.natural_density(data, arrays)(torch.tensor(natural))
    close(alone - alone.mean(), auto - auto.mean())


def test_beyond_the_support_there_is_no_density() -> None:
    data = linear(UNIFORM, UNIFORM, Prior("exponential", (2.0,)))
    evaluate = gradients.by_hand(data, models.to_tensors(data.arrays, Place()), natural=True)
    outside = torch.tensor([[31.0, 0.0, 0.0, 1.0], [0.0, 0.0, -21.0, 1.0], [0.0, 0.0, 0.0, -1.0], [0.0, 0.0, 0.0, 1.0]])
    assert torch.isfinite(evaluate(outside)[0]).tolist() == [False, False, False, True]
    alone = models.natural_density(data, models.to_tensors(data.arrays, Place()))(outside)
    assert (alone == -torch.inf).tolist() == [True, True, True, False]


def test_other_links_are_left_to_autograd(logistic: Any) -> None:
    data = replace(logistic(), link="probit")
    arrays = models.to_tensors(data.arrays, Place())
    assert gradients.by_hand(data, arrays) is None
    z = torch.zeros(2, data.dim)
    assert models.value_and_slope(data, arrays)(z)[1].shape == z.shape


@pytest.mark.parametrize("name", ["torch.hmc", "torch.map", "torch.adam"])
def test_both_ways_lead_to_the_same_answer(
    name: str, linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    """Rounding differs, and few steps do not let it grow."""
    fits = [contender(name, linear(), draws=8, steps=50, gradient=way).fit(linear())[0] for way in ("auto", "autograd")]
    for parameter in linear().names:
        np.testing.assert_allclose(fits[0].draws[parameter], fits[1].draws[parameter], rtol=1e-7)
    assert fits[0].stats["gradients"] == fits[1].stats["gradients"]

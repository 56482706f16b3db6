"""What each framework makes of the family `two_groups`: its density, and its answer."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.data import family
from bench.measure.runtime import runtime_of
from bench.types import Dataset, Parameter, Place, Prior
from tests.frameworks import MODELLED

MODELS = [  # of the priors of sigma beside these a regression has every one
    (Prior("normal", (0.2, 1.5)), Prior("uniform", (0.0, 100.0))),
    (Prior("normal", (0.0, 1.0)), Prior("uniform", (0.5, 4.0))),
    (Prior("flat"), Prior("exponential", (2.0,))),
    (Prior("normal", (0.0, 1.0)), Prior("log_normal", (0.3, 0.7))),
]


def unequal(mu: Prior, sigma: Prior) -> Dataset:
    """Groups of different sizes, so that a swapped or pooled one shows."""
    rng = np.random.default_rng(3)
    bounds = sigma.args if sigma.name == "uniform" else (0.0, np.inf)
    parameters = (Parameter("mu", (2,)), Parameter("sigma", (2,), *bounds))
    arrays = {"y1": 1.3 + 0.5 * rng.standard_normal(7), "y2": 2.0 * rng.standard_normal(23)}
    return Dataset("two_groups", parameters, arrays, {"mu": mu, "sigma": sigma})


@pytest.mark.parametrize("framework", MODELLED)
@pytest.mark.parametrize(("mu", "sigma"), MODELS, ids=[f"{m.name}-{s}" for m, s in MODELS])
def test_density_and_gradient_match_the_family(framework: str, mu: Prior, sigma: Prior) -> None:
    data = unequal(mu, sigma)
    runtime_of(framework).start(Place())
    z = np.random.default_rng(1).uniform(-2, 2, (8, 4))
    value, gradient = importlib.import_module(f"backends.{framework}.models").log_density(data, z, Place())
    expected, slope = family("two_groups").log_density(data, z)
    # Both sides are sums of 30 terms of up to 1e3 nats, each rounded at 1e-16 relative; constants may differ.
    np.testing.assert_allclose(value - value.mean(), expected - expected.mean(), rtol=0, atol=1e-12 * np.ptp(expected))
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-10 * np.abs(slope).max())


@pytest.mark.parametrize("name", ["torch.adam", "pyro.map"])  # torch.map is the loop of torch.adam
def test_map_methods_end_at_the_optimum_they_name(name: str, contender: Callable[..., Any]) -> None:
    start = {"mu": np.array([0.5, 0.5]), "sigma": np.array([1.0, 1.0])}
    made = unequal(Prior("normal", (0.0, 1.0)), Prior("uniform", (0.0, 10.0)))
    data = Dataset(made.family, made.parameters, made.arrays, made.priors, start=start)
    fitted, _ = contender(name, data, steps=1000, lr=0.03).fit(data)
    best, _ = family("two_groups").optimum(data, fitted.stats["objective"])
    assert fitted.stats["objective"] in ("map", "map_unconstrained")
    for parameter, value in best.items():
        # Adam at these rates settles to about 1e-5; the posterior sds are 0.2 to 0.6, and 1e-3 of them is the bar.
        np.testing.assert_allclose(fitted.draws[parameter][0, 0], value, atol=2e-4)


@pytest.mark.slow
@pytest.mark.needs("numpyro")
def test_nuts_and_exact_draws_agree_on_the_difference(contender: Callable[..., Any]) -> None:
    data = unequal(Prior("normal", (0.0, 1.0)), Prior("half_cauchy", (1.0,)))
    fam = family("two_groups")
    exact: Any = fam.reference(data)
    for name, draws in (("exact.posterior", 2000), ("numpyro.nuts", 1000)):
        fitted, _ = contender(name, data, draws=draws).fit(data)
        found = fam.derived(data, fitted.draws)["mu_diff"]
        # Some 2500 effective draws or more: five standard errors of the mean are a tenth of an sd.
        assert abs(found.mean() - exact.derived()["mu_diff"].mean) < 0.1 * exact.derived()["mu_diff"].sd

"""A fit states the log density of its draws: that of other data, another prior or half a likelihood is found."""

from dataclasses import replace

import numpy as np
import pytest

from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.measure.target import complaint, difference
from bench.types import Fit, Prior

SCENARIOS = ("s0-exponential", "tiny-noise", "robust", "eight-schools", "eight-schools-centred", "varying-intercept")
"""Exact draws are dear where the reference is not exact; anywhere near the posterior will do."""


def case(name, seed=0):
    """A data set and draws around its truth, (4, 50, *shape)."""
    data = dataset(scenario(name), seed=0, rep=seed)
    fam, rng = family(data.family), np.random.default_rng(seed)
    z = rng.normal(0.0, 0.3, (4, 50, data.dim))
    if data.truth:
        z += fam.unconstrain(data, {k: np.asarray(v)[None] for k, v in data.truth.items()})[0]
    return data, fam, z, dict(fam.constrain(data, z))


def stated(values, draws):
    return Fit("mcmc", draws, stats={"log_density": values})


def scaled(data):
    return replace(data, arrays={**data.arrays, "x": 1.02 * data.arrays["x"]})


def shortened(data):
    return replace(data, arrays={name: x[:-1] for name, x in data.arrays.items()})


def shifted(data):
    return replace(data, arrays={**data.arrays, "y": data.arrays["y"] + 0.1})


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_models_own_density_passes_up_to_a_constant_and_rounding(name, dtype):
    data, fam, z, draws = case(name)
    values = (fam.log_density(data, z)[0] + 7.0).astype(dtype).astype(float)
    draws = {k: v.astype(dtype).astype(float) for k, v in draws.items()}
    off, allowed = difference(stated(values, draws), data, dtype)
    assert off <= allowed < (1e-2 if dtype == "float32" else 1e-8) * np.ptp(values)
    assert complaint(stated(values, draws), data, dtype) == ""


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "change"), [
    ("s0-exponential", scaled), ("s0-exponential", shortened), ("s0-exponential", shifted), ("tiny-noise", scaled),
    ("robust", scaled), ("robust", shortened), ("varying-intercept", scaled), ("eight-schools", shifted),
])  # fmt: skip
def test_the_density_of_other_data_is_a_wrong_target(name, change, dtype):
    data, fam, z, draws = case(name)
    text = complaint(stated(fam.log_density(change(data), z)[0], draws), data, dtype)
    assert text.startswith("wrong target: the log density that the method states")


def test_another_prior_a_missing_jacobian_and_draws_in_another_order_are_wrong_targets():
    data, fam, z, draws = case("s0-exponential")
    value = fam.log_density(data, z)[0]
    other = replace(data, priors={**data.priors, "sigma": Prior("exponential", (1.1,))})
    for wrong in (
        fam.log_density(other, z)[0],
        value - z[..., -1],
        np.roll(value, 1, axis=1),
        value[::-1],
        0.0 * value,
    ):
        assert complaint(stated(wrong, draws), data, "float32")


def test_draws_on_a_bound_of_the_support_say_nothing():
    data, fam, z, draws = case("s0-exponential")
    value, on_bound = fam.log_density(data, z)[0], {**draws, "sigma": draws["sigma"].copy()}
    on_bound["sigma"][:, ::2] = 0.0
    assert complaint(stated(value, on_bound), data, "float64") == ""
    assert complaint(stated(value, {**draws, "sigma": 0.0 * draws["sigma"]}), data, "float64") == ""
    assert complaint(Fit("mcmc", draws), data, "float64") == ""

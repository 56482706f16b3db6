"""The shipped scenario files of the family `linear`, read through the catalog."""

import numpy as np
import pytest

from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.types import Prior

SHAPES = {
    "s0-exponential": (50, 2),
    "s0-uniform": (50, 2),
    "s1-known-noise": (100, 1),
    "s2-minibatch": (1000, 4),
    "s3-linear": (200, 2),
    "s4-linear": (1000, 1),
    "correlated-rho95": (100, 2),
    "wide-n1000-p100": (1000, 100),
    "ill-conditioned": (200, 10),
    "more-features-than-rows": (50, 100),
    "tiny-noise": (100, 2),
}


@pytest.mark.parametrize("name", SHAPES)
def test_file_has_its_size_its_truth_and_an_exact_posterior(name):
    spec = scenario(name)
    data = dataset(spec, seed=1, rep=0)
    assert data.arrays["x"].shape == SHAPES[name]
    assert data.truth["weights"].shape == SHAPES[name][1:]
    found = family("linear").reference(data)
    for p in data.parameters:
        if p.name == "sigma":
            # Within six posterior sd of the generator's value; the seed is fixed.
            assert abs(found.mean["sigma"] - data.truth["sigma"]) < 6 * found.sd["sigma"]
        else:
            assert np.all(np.abs(found.mean[p.name] - data.truth[p.name]) < 6 * found.sd[p.name])
    assert np.isfinite(found.log_evidence)


@pytest.mark.parametrize("name", ["correlated-rho95", "ill-conditioned", "more-features-than-rows", "tiny-noise"])
def test_a_hard_linear_scenario_is_exact(name):
    found = family("linear").reference(dataset(scenario(name), seed=1, rep=0))
    assert found.n_effective == np.inf and found.log_evidence_se == 0.0


def test_the_ill_conditioned_design_is_that():
    x = dataset(scenario("ill-conditioned", {"n_obs": 20_000}), seed=1, rep=0).arrays["x"]
    # The population's is 1e4; of 20 000 rows it deviates by some √(10/20 000) = 2 %, both ends of the spectrum.
    assert np.linalg.cond(x) == pytest.approx(1e4, rel=0.1)


def test_the_two_s0_scenarios_share_rows_and_differ_in_the_prior():
    one, two = (dataset(scenario(name), seed=1, rep=0) for name in ("s0-exponential", "s0-uniform"))
    assert np.array_equal(one.arrays["x"], two.arrays["x"]) and np.array_equal(one.arrays["y"], two.arrays["y"])
    assert one.priors["sigma"] == Prior("exponential", (2.0,))
    assert two.priors["sigma"] == Prior("uniform", (0.0, 10.0))
    assert set(one.start) == {"weights", "bias", "sigma"} and two.start == {}


def test_s1_is_misspecified_as_in_the_source():
    data = dataset(scenario("s1-known-noise"), seed=1, rep=0)
    assert data.priors["sigma"] == Prior("known", (0.1,)) and data.truth["sigma"] == 0.01
    assert data.holdout["x_outside"].shape == (20, 1)


def test_s4_brings_the_recipes_start():
    data = dataset(scenario("s4-linear"), seed=1, rep=0)
    legacy = np.random.RandomState(42)
    legacy.standard_normal(2000)
    assert data.start["weights"][0] == legacy.standard_normal()
    assert data.start["bias"] == legacy.standard_normal()

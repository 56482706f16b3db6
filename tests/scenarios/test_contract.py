"""What holds of every model family, found by listing their files."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from bench.catalog.places import root, scenario_files
from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.errors import NoReference, ScenarioError
from bench.families import families, family_file
from bench.types import Parameter, Prior

SCENARIOS = {scenario(name).family: name for name in sorted(scenario_files(), reverse=True)}
LAWS = [name for name in families() if family_file(name).parent.name == "regression"]


@pytest.fixture(params=[name for name in families() if not family(name).OPAQUE])
def name(request):
    return request.param


@pytest.fixture
def data(name):
    return dataset(scenario(SCENARIOS[name]), seed=3, rep=0)


@pytest.fixture
def z(data, rng):
    return rng.uniform(-1, 1, (3, 4, data.dim))


def test_it_bears_the_name_of_its_file_and_says_what_a_scenario_may(name, data):
    fam = family(name)
    assert fam.name == name and fam is family(name) and isinstance(fam.discrete(data), bool)
    assert all(isinstance(text, str) and text for text in fam.KEYS.values())
    assert set(data.priors) <= set(fam.PRIORS) and set(fam.PRIOR_DEFAULTS) <= set(fam.PRIORS)
    with pytest.raises(ScenarioError, match=f"keys of the family {name} are"):
        fam.settings({"colour": "red"}, fixed=False)


def test_spaces_are_each_others_inverse(name, data, z):
    fam = family(name)
    draws = fam.constrain(data, z)
    assert {k: v.shape for k, v in draws.items()} == {p.name: (3, 4, *p.shape) for p in data.parameters}
    np.testing.assert_allclose(fam.unconstrain(data, draws), z, atol=1e-10)
    sites = fam.to_sites(data, draws)
    assert set(sites) == {p.name for p in data.sites}
    for key, values in fam.from_sites(data, sites).items():
        np.testing.assert_allclose(values, draws[key], rtol=1e-12, atol=1e-12)


def test_the_gradient_is_the_slope_of_the_log_density(name, data, z):
    fam = family(name)
    gradient, h = fam.log_density(data, z)[1], 1e-4
    steps = h * np.eye(data.dim)

    def central(width):
        up, down = (fam.log_density(data, z[..., None, :] + s * width * steps)[0] for s in (1, -1))
        return (up - down) / (2 * width * h)

    # Richardson leaves h⁴ of truncation and eps·|value|/h of rounding.
    numeric = (4 * central(1.0) - central(2.0)) / 3
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-6 * np.abs(gradient).max())


def test_the_unconstrained_objective_is_the_negative_log_density(name, data, z):
    fam = family(name)
    for at in z[0]:
        value = fam.objective(data, "map_unconstrained", fam.constrain(data, at))
        assert value == pytest.approx(-float(fam.log_density(data, at)[0]), rel=1e-10)
    with pytest.raises(ValueError, match="unknown objective 'median'; known: "):
        fam.objective(data, "median", fam.constrain(data, z[0, 0]))


def test_a_truth_from_the_priors_is_observed_at_the_same_design(name, data, rng):
    fam = family(name)
    try:
        truth, arrays = fam.prior_predictive(data, rng)
    except NoReference as reason:
        assert "flat" in str(reason) and "flat" in {prior.name for prior in data.priors.values()}
        return
    assert {k: np.shape(v) for k, v in truth.items()} == {p.name: p.shape for p in data.parameters}
    assert {k: v.shape for k, v in arrays.items()} == {k: v.shape for k, v in data.arrays.items()}


@pytest.mark.parametrize("name", LAWS)
def test_sums_of_a_law_are_those_of_its_pointwise_functions(name, data, rng):
    law = family(name).law
    eta = rng.normal(size=(5, 30))
    scales = {scale.name: rng.uniform(1.0, 4.0, 5) for scale in law.SCALES}
    y = law.sample(eta[0], {k: v[0] for k, v in scales.items()}, rng)
    assert y.shape == (30,) and not law.invalid(y)
    value, slope, of_scales = law.sums(y, eta.copy(), scales)

    def pointwise(eta, **changed):
        return law.log_prob(y, eta, {k: v[:, None] for k, v in {**scales, **changed}.items()})

    h = 1e-5
    np.testing.assert_allclose(value, pointwise(eta).sum(axis=-1), rtol=1e-12)
    # Central differences: h² of truncation, eps/h of rounding.
    np.testing.assert_allclose(slope, (pointwise(eta + h) - pointwise(eta - h)) / (2 * h), atol=1e-8)
    for key in scales:
        up, down = (pointwise(eta, **{key: scales[key] + s * h}).sum(axis=-1) for s in (1, -1))
        np.testing.assert_allclose(of_scales[key], (up - down) / (2 * h), atol=1e-6)


def test_importing_every_family_loads_no_part_of_scipy_and_starts_no_thread():
    """A child imports one before its clock starts, and only the scorer uses what SciPy gives."""
    code = (
        "import sys, threading; from bench.data import family\n"
        f"for name in {families()!r}: family(name)\n"
        "parts = [m for m in sys.modules if m.startswith('scipy.') and not m.startswith('scipy._')]\n"
        "print(threading.active_count(), *sorted({m.split('.')[1] for m in parts} - {'version'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root(), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]


@pytest.mark.parametrize("name", ["linear", "robust"])
def test_the_objective_is_finite_on_an_upper_bound_and_infinite_at_a_scale_of_zero(name, data):
    """A logit that rounds to the bound itself is an answer; no noise at all is none."""
    sigma = Prior("uniform", (0.0, 2.0))
    parameters = (*(p for p in data.parameters if p.name != "sigma"), Parameter("sigma", (), 0.0, 2.0))
    bounded = replace(data, parameters=parameters, priors={**data.priors, "sigma": sigma})
    params = {p.name: np.full(p.shape, 2.0) for p in parameters}
    assert np.isfinite(family(name).objective(bounded, "map", params))
    assert family(name).objective(bounded, "map", {**params, "sigma": np.array(0.0)}) == np.inf

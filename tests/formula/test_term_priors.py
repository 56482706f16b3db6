"""Priors of a formula's terms: by name, by default, and the same in every framework's density and in the reference."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from bench.data import dataset, family
from bench.errors import ScenarioError
from bench.measure.runtime import runtime_of
from bench.reference.cache import reference
from bench.types import Place, Prior
from tests.formula.test_design import AGE, DOSE, NORTH, WEST, Y
from tests.frameworks import MODELLED, absent

FORMULA = "y ~ age + dose + C(region)"


def by_label(scenario):
    labels, prior = scenario.design.labels["weights"], scenario.priors["weights"]
    args = [np.broadcast_to(np.array(a), len(labels)) for a in prior.args]
    return {label: (prior.name, *(float(a[i]) for a in args)) for i, label in enumerate(labels)}


def test_the_more_special_prior_wins(made):
    priors = {"weights": {"normal": [0, 9]}, "region": {"normal": [0, 2]}, "region[west]": {"normal": [1, 3]}}
    priors |= {"Intercept": {"normal": [3, 4]}, "sigma": {"half_normal": 2}}
    for order in (priors, dict(reversed(priors.items()))):
        chosen = made(FORMULA, priors=order)
        assert by_label(chosen) == {
            "age": ("normal", 0, 9), "dose": ("normal", 0, 9),
            "region[north]": ("normal", 0, 2), "region[west]": ("normal", 1, 3),
        }  # fmt: skip
        assert chosen.priors["bias"] == Prior("normal", (3.0, 4.0))
        assert chosen.priors["sigma"] == Prior("half_normal", (2.0,))


def test_defaults_are_wide_on_the_scale_of_the_data(made):
    chosen = made(FORMULA)
    assert by_label(chosen)["dose"] == ("normal", 0, pytest.approx(2.5 * Y.std() / DOSE.std(), rel=5e-3))  # 3 digits
    loc, scale = chosen.priors["bias"].args
    assert loc == pytest.approx(Y.mean(), rel=5e-3)
    # the prior of the intercept at the columns' means, which the intercept at 0 must not narrow
    assert scale > 2.5 * Y.std() * AGE.mean() / AGE.std()
    assert chosen.priors["sigma"] == Prior("exponential", (pytest.approx(1 / Y.std(), rel=5e-3),))


@pytest.mark.parametrize("group", ["", " + (1 | site)"])
@pytest.mark.parametrize(
    ("response", "likelihood", "at"),
    [
        ("share", "gamma", np.log(0.003)),
        ("share", "student_t", 0.003),
        ("one", "poisson", np.log(0.25)),
        ("none", "negative_binomial", np.log(0.5 / 4)),
        ("one", "bernoulli", 0.0),
    ],
)
def test_the_intercept_lies_about_the_mean_by_the_link_of_the_law(made, response, likelihood, at, group):
    """However small the observations are."""
    rows = "site,age,share,one,none\na,1,0.001,0,0\nb,2,0.002,0,0\na,4,0.004,1,0\nb,5,0.005,0,0\n"
    chosen = made(f"{response} ~ age{group}", rows, likelihood=likelihood)
    assert chosen.priors["mu" if group else "bias"].args[0] == pytest.approx(at, rel=5e-3)  # 3 digits


@pytest.mark.parametrize(
    ("priors", "why"),
    [
        (
            {"height": {"normal": [0, 1]}},
            r"priors\.height.*the terms and scales are weights, age, dose, region, .*sigma, Intercept",
        ),
        ({"age": {"cauchy": [0, 1]}}, "one kind of prior"),
        ({"age": {"normal": [0, -1]}}, "scale must be above 0"),
        ({"age": {"half_normal": 1}}, r"priors\.age"),
    ],
)
def test_priors_that_cannot_be_are_refused(made, priors, why):
    with pytest.raises(ScenarioError, match=why):
        made(FORMULA, priors=priors)


def test_the_reference_has_the_prior_of_each_term(made):
    """With sigma known the posterior is normal: (XᵀX/s² + T⁻¹)⁻¹, by dense algebra."""
    scales = {"age": 0.02, "dose": 0.3, "region[north]": 1.0, "region[west]": 0.1, "Intercept": 2.0}
    priors = {name: {"normal": [0.5, scale]} for name, scale in scales.items()}
    data = dataset(made(FORMULA, priors={**priors, "sigma": {"known": 0.7}}), seed=0, rep=0)
    columns = {"age": AGE, "dose": DOSE, "region[north]": NORTH, "region[west]": WEST, "Intercept": np.ones(8)}
    labels = data.parameter("weights").parts()
    x = np.column_stack([columns[name] for name in [*labels, "Intercept"]])
    tau = np.array([scales[name] for name in [*labels, "Intercept"]])
    covariance = np.linalg.inv(x.T @ x / 0.49 + np.diag(tau**-2))
    mean = covariance @ (x.T @ Y / 0.49 + 0.5 * tau**-2)
    posterior = reference(data)
    np.testing.assert_allclose(np.append(posterior.mean["weights"], posterior.mean["bias"]), mean, rtol=1e-9)
    np.testing.assert_allclose(
        np.append(posterior.sd["weights"], posterior.sd["bias"]), np.sqrt(np.diag(covariance)), rtol=1e-9
    )


@pytest.mark.parametrize("kind", ["normal", "student_t", "cauchy"])
def test_a_density_of_many_priors_is_the_sum_of_densities_of_one(made, kind):
    """Against scipy.stats, term by term."""
    from scipy import stats

    args = {"normal": (), "student_t": (3.5,), "cauchy": ()}[kind]
    priors = {
        name: {kind: [*args, i, 0.5 + i]} for i, name in enumerate(("age", "dose", "region[north]", "region[west]"))
    }
    data = dataset(made(FORMULA, likelihood="student_t", priors=priors), seed=0, rep=0)
    rng = np.random.default_rng(0)
    z = rng.normal(size=(3, data.dim))
    flat = {**data.priors, "weights": Prior("normal", (0.0, 1.0))}
    from dataclasses import replace

    robust = family("robust")
    difference = robust.log_density(data, z)[0] - robust.log_density(replace(data, priors=flat), z)[0]
    law = {"normal": stats.norm, "student_t": stats.t, "cauchy": stats.cauchy}[kind]
    order = [list(priors).index(label) for label in data.parameter("weights").parts()]
    own = sum(law.logpdf(z[:, i], *args, loc=at, scale=0.5 + at) for i, at in enumerate(order))
    np.testing.assert_allclose(difference, own - stats.norm.logpdf(z[:, :4]).sum(axis=1), rtol=1e-10)
    step = 1e-6
    for i in range(data.dim):
        up, down = (robust.log_density(data, z + s * step * np.eye(data.dim)[i])[0] for s in (1, -1))
        # a central difference of step h is off by h²·f''' and by rounding over h, 1e-9 of values of some tens
        np.testing.assert_allclose((up - down) / (2 * step), robust.log_density(data, z)[1][:, i], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("framework", MODELLED)
@pytest.mark.parametrize("formula", ["linear", "robust", "varying_intercept", "grouped"])
def test_every_framework_has_the_prior_of_each_term(made, framework, formula):
    if why := absent(framework):
        pytest.skip(why)
    kind = "student_t" if formula in ("robust", "grouped") else "normal"
    args = [3.0] if kind == "student_t" else []
    priors = {"age": {kind: [*args, 0, 0.1]}, "dose": {kind: [*args, 1, 2]}, "region": {kind: [*args, 0, 0.7]}}
    chosen = made(
        FORMULA + (" + (1 | site)" if formula in ("varying_intercept", "grouped") else ""),
        likelihood="student_t" if formula in ("robust", "grouped") else "gaussian",
        priors=priors,
    )
    data = dataset(chosen, seed=0, rep=0).observed()
    z = np.random.default_rng(1).normal(scale=0.5, size=(4, data.dim))
    runtime_of(framework).start(Place())
    value, gradient = importlib.import_module(f"backends.{framework}.models").log_density(data, z, Place())
    expected, slope = family(data.family).log_density(data, z)
    # constants aside; float64 keeps 1e-9 of values up to 1e4, as the gate before every run demands
    np.testing.assert_allclose(value - value[0], expected - expected[0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-9)

"""What each framework makes of the hierarchical families, in both parametrisations: its density, and its answer."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from bench.data import family
from bench.measure.runtime import runtime_of
from bench.types import Dataset, Parameter, Place, Prior
from tests import grouped
from tests.frameworks import MODELLED

ERRORS = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
EFFECTS = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
NORMAL = Prior("normal", (0.0, 5.0))
SCALES = [
    Prior("half_cauchy", (5.0,)),
    Prior("half_normal", (2.0,)),
    Prior("exponential", (0.5,)),
    Prior("uniform", (0.0, 20.0)),
    Prior("log_normal", (0.5, 0.7)),
]


def eight_schools(tau: Prior = SCALES[0], *, mu: Prior = NORMAL, centred: bool = False) -> Dataset:
    parameters = (Parameter("mu"), scale("tau", tau), Parameter("theta", (8,)))
    return made("eight_schools", parameters, {"y": EFFECTS, "errors": ERRORS}, {"mu": mu, "tau": tau}, centred)


def varying_intercept(
    tau: Prior = SCALES[1], *, mu: Prior = NORMAL, centred: bool = False, features: int = 2
) -> Dataset:
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(5), (6, 3, 8, 10, 5))
    x = rng.standard_normal((len(group), features))
    y = rng.standard_normal(5)[group] + x.sum(1) + 0.5 * rng.standard_normal(len(group))
    parameters = [Parameter("mu"), scale("tau", tau), Parameter("a", (5,))]
    parameters += [Parameter("weights", (features,))] if features else []
    priors = {"mu": mu, "tau": tau, "sigma": Prior("half_normal", (2.0,))} | ({"weights": NORMAL} if features else {})
    arrays = {"x": x, "group": group.astype(float), "y": y}
    return made("varying_intercept", (*parameters, scale("sigma", priors["sigma"])), arrays, priors, centred)


def scale(name: str, prior: Prior) -> Parameter:
    return Parameter(name, (), *(prior.args if prior.name == "uniform" else (0.0, np.inf)))


def made(
    name: str, parameters: tuple[Parameter, ...], arrays: dict[str, Any], priors: dict[str, Prior], centred: bool
) -> Dataset:
    sites = () if centred else tuple(p if p.name in priors else Parameter("eta", p.shape) for p in parameters)
    return Dataset(name, parameters, arrays, priors, coordinates=sites)


CENTRED = pytest.mark.parametrize("centred", [False, True], ids=["non-centred", "centred"])
PRIORS = [*[(NORMAL, tau) for tau in SCALES], (Prior("flat"), SCALES[0])]
PAIRWISE = [
    (make, mu, tau, centred)
    for i, (mu, tau) in enumerate(PRIORS)
    for make, centred in ((eight_schools, i % 2 == 0), (varying_intercept, i % 2 == 1))
]
"""Every prior with both families and both parametrisations, and every family in both."""
FRAMEWORKS = pytest.mark.parametrize("framework", MODELLED)


def assert_matches(framework: str, data: Dataset) -> None:
    runtime_of(framework).start(Place())
    z = np.random.default_rng(1).uniform(-2, 2, (6, data.dim))
    value, gradient = importlib.import_module(f"backends.{framework}.models").log_density(data, z, Place())
    expected, slope = family(data.family).log_density(data, z)
    # Both sides are sums of a few dozen terms of up to 1e3 nats, each rounded at 1e-16 relative; constants may differ.
    np.testing.assert_allclose(value - value.mean(), expected - expected.mean(), rtol=0, atol=1e-12 * np.ptp(expected))
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-10 * np.abs(slope).max())


@FRAMEWORKS
@pytest.mark.parametrize(("make", "mu", "tau", "centred"), PAIRWISE, ids=lambda p: getattr(p, "__name__", str(p)))
def test_density_and_gradient_match_the_family(
    framework: str, make: Callable[..., Dataset], mu: Prior, tau: Prior, centred: bool
) -> None:
    assert_matches(framework, make(tau, mu=mu, centred=centred))


@FRAMEWORKS
def test_a_regression_without_features_matches_the_family(framework: str) -> None:
    assert_matches(framework, varying_intercept(features=0))


@FRAMEWORKS
@pytest.mark.parametrize("case", grouped.LAWS)
def test_regressions_by_group_match_the_family_whatever_their_law(framework: str, case: str) -> None:
    """Non-centred, and centred where the offset is seen."""
    assert_matches(framework, grouped.make(case, centred=case in ("poisson", "gamma", "bernoulli")))


@pytest.mark.needs("torch")
@CENTRED
@pytest.mark.parametrize("make", [eight_schools, varying_intercept])
def test_torch_densities_keep_leading_dimensions(make: Callable[..., Dataset], centred: bool) -> None:
    data, models = make(centred=centred), importlib.import_module("backends.torch.models")
    z = np.random.default_rng(1).uniform(-1, 1, (2, 3, data.dim))
    value, gradient = models.log_density(data, z)
    assert value.shape == (2, 3) and gradient.shape == z.shape
    np.testing.assert_allclose(value[1, 2], models.log_density(data, z[1, 2])[0], rtol=1e-13)


@pytest.mark.needs("pyro")
@CENTRED
@pytest.mark.parametrize("make", [eight_schools, varying_intercept])
def test_pyro_samples_in_the_order_of_the_sites(make: Callable[..., Dataset], centred: bool) -> None:
    """An automatic guide's vector is laid out as the trace is, and must be read as z."""
    data, models = make(centred=centred), importlib.import_module("backends.pyro.models")
    poutine = importlib.import_module("pyro.poutine")
    trace = poutine.trace(models.model(data, Place())).get_trace(*models.to_tensors(data.arrays, data, Place()))
    sampled = [
        name for name in trace.stochastic_nodes if name not in ("schools", "observations")
    ]  # plates are nodes too
    assert sampled == [p.name for p in data.sites]
    if not centred:
        assert trace.nodes["theta" if make is eight_schools else "a"]["infer"]["_deterministic"]


@pytest.mark.needs("pyro")
@pytest.mark.parametrize(
    ("make", "centred", "guide", "particles"),
    [
        (eight_schools, False, "manual", 1),
        (varying_intercept, True, "manual", 1),
        (eight_schools, True, "manual", 5),
        (varying_intercept, False, "manual", 5),
        (eight_schools, False, "multivariate_normal", 5),
        (varying_intercept, True, "multivariate_normal", 5),
    ],
)
def test_an_elbo_of_many_particles_is_the_mean_over_draws_of_q(
    make: Callable[..., Dataset], centred: bool, guide: str, particles: int, contender: Callable[..., Any]
) -> None:
    """−ELBO of thousands of draws as the model and guide give it, against the family's density and q's own."""
    torch = importlib.import_module("torch")
    infer = importlib.import_module("pyro.infer")
    data = make(centred=centred)
    contended = contender("pyro.svi", data, steps=20, guide=guide, particles=particles)
    fit, _ = contended.fit(data)
    assert all(np.isfinite(v).all() for v in fit.draws.values())
    models, program = importlib.import_module("backends.pyro.models"), contended.program
    args = models.to_tensors(data.arrays, data, Place())
    model = models.model(data, Place())
    torch.manual_seed(0)
    elbo = infer.Trace_ELBO(4000, vectorize_particles=particles > 1, max_plate_nesting=1) if particles > 1 else None
    q = program.guide.posterior(*args)
    z = q.sample((4000,))
    values = q.log_prob(z).detach().numpy() - family(data.family).log_density(data, z.numpy())[0]
    if elbo is None:
        losses = [float(infer.Trace_ELBO().loss(model, program.guide, *args)) for _ in range(200)]
        found, error = float(np.mean(losses)), float(np.std(losses) / np.sqrt(200))
    else:
        found, error = float(elbo.loss(model, program.guide, *args)), float(values.std()) / np.sqrt(4000)
    # Two means of independent draws; five standard errors at fixed seeds. The density is normalised on both sides.
    assert abs(found - values.mean()) < 5 * np.hypot(error, values.std() / np.sqrt(4000))


@pytest.fixture(scope="module")
def nuts(contender: Callable[..., Any]) -> Callable[..., tuple[Dataset, Any]]:
    """Data and a fit of NumPyro's NUTS to them, of 1000 draws."""

    @cache
    def fitted(make: Callable[..., Dataset], *, centred: bool) -> tuple[Dataset, Any]:
        data = make(centred=centred)
        return data, contender("numpyro.nuts", data, draws=1000).fit(data)[0]

    return fitted


@pytest.mark.slow
@pytest.mark.needs("numpyro")
@pytest.mark.parametrize("make", [eight_schools, varying_intercept])
def test_nuts_of_a_non_centred_model_matches_the_exact_posterior(
    make: Callable[..., Dataset], nuts: Callable[..., tuple[Dataset, Any]]
) -> None:
    data, fit = nuts(make, centred=False)
    exact = family(data.family).reference(data)
    assert set(fit.draws) == set(data.names)
    for name in data.names:
        # 4000 draws, effective size 400 or more: five standard errors of a mean, and of an sd for these heavy tails.
        assert np.all(np.abs(fit.draws[name].mean((0, 1)) - exact.mean[name]) < 0.25 * exact.sd[name])
        np.testing.assert_allclose(fit.draws[name].std((0, 1)), exact.sd[name], rtol=0.3)


@pytest.mark.slow
@pytest.mark.needs("numpyro")
@pytest.mark.parametrize("case", ["poisson", "bernoulli[probit]", "student_t", "gamma"])
def test_nuts_matches_the_reference_of_a_regression_by_group(case: str, contender: Callable[..., Any]) -> None:
    data = grouped.make(case, n_per_group=[4, 5, 6, 8, 10])
    fit, reference = contender("numpyro.nuts", data, draws=1000).fit(data)[0], family(data.family).reference(data)
    for name in data.names:
        # As above; the reference's own error is a hundredth of an sd.
        assert np.all(np.abs(fit.draws[name].mean((0, 1)) - reference.mean[name]) < 0.25 * reference.sd[name])
        np.testing.assert_allclose(fit.draws[name].std((0, 1)), reference.sd[name], rtol=0.3)


@pytest.mark.needs("numpyro")
@pytest.mark.slow
def test_the_centred_model_is_a_trap_for_nuts(nuts: Callable[..., tuple[Dataset, Any]]) -> None:
    share, diverging = {}, {}
    for centred in (False, True):
        data, fit = nuts(eight_schools, centred=centred)
        exact = family("eight_schools").reference(data)
        low = float(exact.quantile("tau", np.array([0.05]))[0])
        share[centred] = float((fit.draws["tau"] < low).mean())
        diverging[centred] = int(fit.stats["diverging"].sum())
    # 5 % of the posterior lies below; 4000 nearly independent draws hold that to 0.0034, the funnel keeps chains out.
    assert share[False] == pytest.approx(0.05, abs=0.017)
    assert share[True] < 0.035 and diverging[True] > 10 * max(diverging[False], 1)


@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    ("make", "space"), [(eight_schools, "natural"), (varying_intercept, "natural"), (eight_schools, "unconstrained")]
)
def test_metropolis_gives_back_the_parameters(
    make: Callable[..., Dataset], space: str, contender: Callable[..., Any]
) -> None:
    data = make()
    fit, _ = contender("torch.metropolis", data, draws=4000, space=space, thin=4).fit(data)
    exact = family(data.family).reference(data)
    for name in data.names:
        # Some 100 effective draws and more of a random walk: half an sd is five standard errors.
        assert np.all(np.abs(fit.draws[name].mean((0, 1)) - exact.mean[name]) < 0.5 * exact.sd[name])


@pytest.mark.needs("torch")
def test_map_in_unconstrained_space_ends_at_its_optimum(contender: Callable[..., Any]) -> None:
    data = eight_schools()
    fit, _ = contender("torch.adam", data, steps=1500, lr=0.05, space="unconstrained").fit(data)
    fam, point = family(data.family), {name: v[0, 0] for name, v in fit.draws.items()}
    assert fit.stats["objective"] == "map_unconstrained"
    gap = fam.objective(data, "map_unconstrained", point) - fam.optimum(data, "map_unconstrained")[1]
    assert -1e-9 < gap < 1e-5  # Adam at this rate settles to some 1e-3 sd in each of ten scalars

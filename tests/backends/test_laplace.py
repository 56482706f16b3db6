"""Laplace's approximation by hand and by SciPy: exact where the posterior is Gaussian, and no answer without a mode."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends._shared import laplace, moments
from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.types import Array, Dataset, Diverged, Parameter, Place, Prior

BOTH = [pytest.param("torch.laplace", marks=pytest.mark.needs("torch")), "scipy.laplace"]


@pytest.fixture
def gaussian(linear: Callable[..., Dataset]) -> Dataset:
    """A regression of known noise, whose posterior is Gaussian."""
    return linear(sigma=Prior("known", (1.0,)))


@pytest.mark.parametrize("name", BOTH)
def test_a_gaussian_posterior_is_found_exactly(name: str, gaussian: Dataset, contender: Callable[..., Any]) -> None:
    fit, _ = contender(name, gaussian).fit(gaussian)
    exact = family("linear").reference(gaussian)
    for parameter in gaussian.names:
        # Newton stops 1e-5 posterior sds away at most; differences of slopes know an sd to about 1e-9 of itself.
        mean, sd = fit.moments[parameter]
        assert np.all(np.abs(mean - exact.mean[parameter]) < 2e-5 * exact.sd[parameter])
        np.testing.assert_allclose(sd, exact.sd[parameter], rtol=1e-7)
    z = family("linear").unconstrain(gaussian, {key: value[0] for key, value in fit.draws.items()})
    ratios = family("linear").log_density(gaussian, z)[0] - fit.stats["log_q"][0]
    np.testing.assert_allclose(ratios, exact.log_evidence, atol=1e-5)  # p/q is the evidence everywhere


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("of", ["s0-uniform", "eight-schools", "robust-unknown-df"])
def test_the_mode_and_its_curvature_are_those_of_the_family(name: str, of: str, contender: Callable[..., Any]) -> None:
    """By the family's own density: no slope at the mode, and its differences give back the precision."""
    data = dataset(scenario(of), seed=0, rep=0)
    made = contender(name, data)
    state = made.method.fit(made.program, data.observed(), 1, _Clock())
    fam, q = family(data.family), state.q
    assert np.all(np.abs(fam.log_density(data, q.loc)[1]) < 1e-4 / q.scale)  # an error of 1e-4 sds
    step = 1e-4 * q.scale
    slopes = [fam.log_density(data, q.loc + move)[1] - fam.log_density(data, q.loc - move)[1] for move in np.diag(step)]
    wanted = -np.stack(slopes) / (2 * step[:, None])
    # Third-order terms of a step of 1e-4 sds, and rounding of slopes over it, are below 1e-6 of the curvature.
    np.testing.assert_allclose(
        q.root @ q.root.T * np.outer(q.scale, q.scale), wanted * np.outer(q.scale, q.scale), atol=1e-5
    )


@pytest.mark.parametrize("name", BOTH)
def test_every_gradient_is_counted(
    name: str, linear: Callable[..., Dataset], contender: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, calls, rows = linear(), [], []
    if name == "torch.laplace":
        models, optimum = (importlib.import_module(f"backends.torch.{module}") for module in ("models", "optimum"))
        density, precision = models.unconstrained, optimum.precision
        monkeypatch.setattr(models, "unconstrained", lambda d, a, z: calls.append(z.dim() == 1) or density(d, a, z))
        monkeypatch.setattr(optimum, "precision", lambda f, z, n: rows.extend(2 * [z] * len(z)) or precision(f, z, n))
    else:
        of, whole = family("linear"), family("linear").log_density
        monkeypatch.setattr(of, "log_density", lambda d, z: calls.append(True) or whole(d, z))
    fit, _ = contender(name, data).fit(data)
    assert fit.stats["gradients"] == sum(calls) + len(rows) and fit.stats["hessians"] == 1
    assert fit.stats["gradients"] < 100


@pytest.mark.parametrize("name", BOTH)
def test_a_density_without_a_mode_is_divergence(name: str, contender: Callable[..., Any]) -> None:
    """That of centred effects has no upper bound as their scale goes to 0.

    How far down a search gets depends on the rounding of the processor: to a curvature below 0, or of 0.
    """
    data = dataset(scenario("eight-schools-centred"), seed=0, rep=0)
    with pytest.raises(Diverged, match=r"no mode: the Hessian .* least eigenvalue is (-|0;)|no mode: after"):
        contender(name, data, steps=100 if name == "torch.laplace" else 1000).fit(data)


@pytest.mark.needs("torch")
def test_rows_of_a_hessian_do_not_depend_on_how_many_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    torch, optimum = importlib.import_module("torch"), importlib.import_module("backends.torch.optimum")
    monkeypatch.setattr(optimum, "BATCH", 20)
    z = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)

    def density(at: Any) -> Any:
        return -(at[..., 0] ** 2 * at[..., 1] + torch.exp(at[..., 1]))  # of the last nothing depends

    wanted = [[2 * -1.0, 2 * 0.3, 0.0], [2 * 0.3, np.exp(-1.0), 0.0], [0.0, 0.0, 0.0]]
    for rows in (1, 10, 100):
        np.testing.assert_allclose(optimum.precision(density, z, rows).numpy(), wanted, rtol=1e-14)


@pytest.mark.needs("torch")
def test_a_search_survives_points_without_a_density() -> None:
    """The first step of one that starts where the slope is steep leads to log of a negative number."""
    torch, optimum = importlib.import_module("torch"), importlib.import_module("backends.torch.optimum")
    gradients = importlib.import_module("backends.torch.gradients")
    start, seen = torch.tensor([1e-3], dtype=torch.float64), list[int]()

    def density(at: Any) -> Any:
        return (torch.log(at) - at).sum(-1)

    found = optimum.maximise(
        gradients.by_autograd(density), start, steps=50, evaluations=1000, watch=lambda step, *_: seen.append(step)
    )
    assert found.z.item() == pytest.approx(1.0, abs=1e-6) and seen == list(range(1, found.gradients + 1))


def test_moments_of_a_bounded_parameter_are_those_of_its_law() -> None:
    """Of exp(z) in closed form, of an interval's by a fine sum."""
    parameters = (Parameter("mu", (2,)), Parameter("sigma", (2,), 0.0, 3.0))
    data = Dataset("two_groups", parameters, {}, {})
    loc, scale = np.array([1.0, -2.0, 0.3, -1.0]), np.array([0.5, 0.1, 0.4, 1.2])
    mean, sd = moments.of(loc, scale, lambda n: np.empty((n, 4)), data, 0)
    np.testing.assert_allclose([mean["mu"], sd["mu"]], [loc[:2], scale[:2]], rtol=1e-13)
    x = np.linspace(-10, 10, 20_001)[:, None]
    weights = np.exp(-0.5 * x**2) / np.exp(-0.5 * x**2).sum()
    values = 3 / (1 + np.exp(-(loc[2:] + scale[2:] * x)))
    np.testing.assert_allclose(mean["sigma"], (weights * values).sum(0), rtol=1e-12)
    np.testing.assert_allclose(sd["sigma"], np.sqrt((weights * (values - mean["sigma"]) ** 2).sum(0)), rtol=1e-10)
    positive = Dataset("linear", (Parameter("weights", (1,)), Parameter("sigma", (), 0.0)), {}, {})
    mean, sd = moments.of(loc[1:3], np.array([1.0, 1.5]), lambda n: np.empty((n, 2)), positive, 0)
    first, second = np.exp(0.3 + 1.5**2 / 2), np.exp(0.6 + 2 * 1.5**2)
    np.testing.assert_allclose([mean["sigma"], sd["sigma"]], [first, np.sqrt(second - first**2)], rtol=1e-9)


def test_draws_have_the_covariance_and_density_of_q() -> None:
    rng = np.random.default_rng(0)
    precision = np.array([[4.0, 1.0], [1.0, 0.5]])
    q = laplace.Gaussian(np.array([1.0, -1.0]), np.linalg.cholesky(precision))
    z, log_q = q.sample(100_000, rng)
    covariance = np.linalg.inv(precision)
    np.testing.assert_allclose(q.scale, np.sqrt(np.diag(covariance)), rtol=1e-12)
    np.testing.assert_allclose(np.cov(z.T), covariance, atol=0.03 * covariance.max())  # 5 errors of √(2/1e5)
    off = z - q.loc
    wanted = (
        -0.5 * np.einsum("ni,ij,nj->n", off, precision, off)
        + 0.5 * np.log(np.linalg.det(precision))
        - np.log(2 * np.pi)
    )
    np.testing.assert_allclose(log_q, wanted, atol=1e-10)


def test_newton_goes_the_whole_way_and_refuses_a_saddle() -> None:
    def quartic(z: Array) -> tuple[float, Array]:
        return -float(np.sum(z**4 / 4 + z**2 / 2)), -(z**3) - z

    found, steps = laplace.settle(
        laplace.Target(quartic, lambda z: np.diag(3 * z**2 + 1)), np.array([3.0, -2.0]), "float64"
    )
    assert np.all(np.abs(found.loc) < 2e-5) and 3 < steps < 12
    with pytest.raises(Diverged, match="least eigenvalue is -1"):
        laplace.settle(laplace.Target(quartic, lambda z: np.diag([1.0, -1.0])), np.ones(2), "float64")


@pytest.mark.needs("torch")
def test_float32_is_right_to_its_precision(linear: Callable[..., Dataset], contender: Callable[..., Any]) -> None:
    data = linear()
    wide, _ = contender("torch.laplace", data).fit(data)
    narrow, _ = contender("torch.laplace", data, place=Place(dtype="float32")).fit(data)
    for name, (mean, sd) in wide.moments.items():
        # 1e-4 nats are a hundredth of an sd
        assert np.all(np.abs(narrow.moments[name][0] - mean) < 0.02 * sd)
        np.testing.assert_allclose(narrow.moments[name][1], sd, rtol=1e-3)


class _Clock:
    def __call__(self, phase: str) -> Any:
        return importlib.import_module("contextlib").nullcontext()

    def checkpoint(self, step: int, estimate: Callable[[], Any], *, gradients: float | None = None) -> None:
        """Nothing is looked at."""

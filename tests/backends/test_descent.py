"""Gradient descent: the closed form of the iteration, agreement between frameworks, and honest divergence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.types import Array, Dataset, Diverged, Parameter, Place, Prior


@pytest.fixture(scope="module")
def s4() -> Dataset:
    """The data and the start of S4, made again from NumPy's legacy generator."""
    generator = np.random.RandomState(42)
    x, e = generator.standard_normal((1000, 1)), 0.1 * generator.standard_normal((1000, 1))
    weights, bias = generator.standard_normal(1), generator.standard_normal(1)[0]
    priors = {"weights": Prior("flat"), "bias": Prior("flat"), "sigma": Prior("flat")}
    parameters = (Parameter("weights", (1,)), Parameter("bias"), Parameter("sigma", (), 0.0))
    arrays = {"x": x, "y": (1 + 2 * x + e)[:, 0]}
    return Dataset("linear", parameters, arrays, priors, start={"weights": weights, "bias": np.asarray(bias)})


def closed_form(data: Dataset, lr: float, steps: int) -> Array:
    """θ* + (I − lr·H)^k (θ₀ − θ*) for the mean squared error, by the eigendecomposition of H."""
    design = np.column_stack([data.arrays["x"], np.ones(len(data.arrays["y"]))])
    optimum = np.linalg.lstsq(design, data.arrays["y"], rcond=None)[0]
    values, vectors = np.linalg.eigh(2 * design.T @ design / len(design))
    start = np.append(data.start["weights"], data.start["bias"])
    return optimum + vectors @ ((1 - lr * values) ** steps * (vectors.T @ (start - optimum)))


def solution(contender: Callable[..., Any], name: str, data: Dataset, **settings: Any) -> Array:
    fit, _ = contender(name, data, **settings).fit(data)
    return np.append(fit.draws["weights"][0, 0], fit.draws["bias"][0, 0])


@pytest.mark.parametrize("steps", [1, 37, 1000])
def test_numpy_descent_is_the_closed_form_on_s4(steps: int, s4: Dataset, contender: Callable[..., Any]) -> None:
    # Each step rounds at 1e-16 of values near 1 and contracts what went before, so 1e-12 is 10⁴ roundings.
    found = solution(contender, "numpy.gd", s4, steps=steps, lr=0.01)
    np.testing.assert_allclose(found, closed_form(s4, 0.01, steps), rtol=1e-12)


@pytest.mark.parametrize("form", ["tensors", "module", "sequential"])
@pytest.mark.parametrize("loss", ["mean", "sum"])
def test_torch_descent_is_the_closed_form_on_s4(
    form: str, loss: str, s4: Dataset, contender: Callable[..., Any]
) -> None:
    lr = 0.1 if loss == "mean" else 0.1 / 1000  # the same iteration, its loss multiplied by N
    found = solution(contender, "torch.sgd", s4, steps=37, lr=lr, loss=loss, form=form)
    np.testing.assert_allclose(found, closed_form(s4, 0.1, 37), rtol=1e-12)


@pytest.mark.parametrize("form", ["tensors", "module", "sequential"])
def test_a_target_of_one_column_never_broadcasts(
    form: str, linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    """Predictions (n, 1) against y (n,) would be compared as (n, n), whose optimum is the mean of y, weights 0."""
    data = linear(n=40, noise=0.1)
    ols = solution(contender, "sklearn.ols", data)
    # 1000 contractions by at most 0.6 leave rounding only.
    np.testing.assert_allclose(solution(contender, "torch.sgd", data, form=form), ols, rtol=1e-10)


@pytest.mark.parametrize("name", ["numpy.gd", "torch.sgd"])
def test_too_large_a_rate_is_divergence_with_step_and_reason(
    name: str, linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    data = linear()
    design = np.column_stack([data.arrays["x"], np.ones(50)])
    largest = np.linalg.eigvalsh(2 * design.T @ design)[-1]
    lr = 1.3 * 2 / (largest if name == "torch.sgd" else largest / 50)
    with pytest.raises(Diverged, match=r"loss is (inf|nan) at step \d+; lr·λmax/2 = 1\.3 exceeds 1"):
        contender(name, data, steps=5000, lr=lr).fit(data)


@pytest.mark.parametrize(("name", "lr"), [("numpy.gd", 0.02), ("torch.sgd", 0.002)])
def test_the_step_limit_of_the_data_is_stated(
    name: str, lr: float, linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    data = linear(bias=None)
    fit, _ = contender(name, data, lr=lr).fit(data)
    hessian = 2 * data.arrays["x"].T @ data.arrays["x"] / (50 if name == "numpy.gd" else 1)
    np.testing.assert_allclose(fit.stats["lr_limit"], lr * np.linalg.eigvalsh(hessian)[-1] / 2, rtol=1e-12)


@pytest.mark.parametrize("name", ["numpy.gd", "torch.sgd", "sklearn.ols"])
def test_sigma_is_plugged_in_only_where_it_is_a_parameter(
    name: str, linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    data = linear()
    fit, _ = contender(name, data).fit(data)
    residual = data.arrays["y"] - data.arrays["x"] @ fit.draws["weights"][0, 0] - fit.draws["bias"][0, 0]
    np.testing.assert_allclose(fit.draws["sigma"][0, 0], np.sqrt(residual @ residual / 50), rtol=1e-14)
    assert fit.stats["plug_in"] == ("sigma",) and "sigma" in fit.notes[0]
    known = linear(sigma=Prior("known", (0.1,)))
    fit, _ = contender(name, known).fit(known)
    assert set(fit.draws) == {"weights", "bias"} and "plug_in" not in fit.stats and not fit.notes


def test_a_start_is_the_first_iterate_plus_one_step(s4: Dataset, contender: Callable[..., Any]) -> None:
    at_rest = replace(s4, start={"weights": np.zeros(1), "bias": np.zeros(())})
    found = solution(contender, "numpy.gd", at_rest, steps=1, lr=0.5)
    x, y = s4.arrays["x"][:, 0], s4.arrays["y"]
    np.testing.assert_allclose(found, [np.mean(x * y), np.mean(y)], rtol=1e-12)  # −lr times the gradient at 0


def test_float32_is_computed_in_float32(s4: Dataset, contender: Callable[..., Any]) -> None:
    found = solution(contender, "numpy.gd", s4, steps=100, lr=0.1, place=Place(dtype="float32"))
    error = np.abs(found - closed_form(s4, 0.1, 100)).max()
    assert 1e-9 < error < 1e-5  # the rounding of float32, neither float64's nor a wrong answer


def test_adam_on_a_natural_sigma_below_zero_diverges_and_says_so(
    linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    data = linear(noise=0.01, start={"weights": [1.5, -2.8], "bias": 0.5, "sigma": 0.05})
    with pytest.raises(Diverged, match=r"at step \d+: sigma .*(left|not finite)"):
        contender("torch.adam", data, lr=0.2).fit(data)
    fit, _ = contender("torch.adam", data, lr=0.05, steps=3000, space="unconstrained").fit(data)
    assert fit.draws["sigma"][0, 0] > 0

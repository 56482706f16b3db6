"""Gradient descent: the closed form of the iteration, agreement between frameworks, and honest divergence."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backends._shared import point
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


@pytest.mark.needs("torch")
@pytest.mark.parametrize("form", ["tensors", "module", "sequential"])
@pytest.mark.parametrize("loss", ["mean", "sum"])
def test_torch_descent_is_the_closed_form_on_s4(
    form: str, loss: str, s4: Dataset, contender: Callable[..., Any]
) -> None:
    lr = 0.1 if loss == "mean" else 0.1 / 1000  # the same iteration, its loss multiplied by N
    found = solution(contender, "torch.sgd", s4, steps=37, lr=lr, loss=loss, form=form)
    np.testing.assert_allclose(found, closed_form(s4, 0.1, 37), rtol=1e-12)


@pytest.mark.needs("torch")
def test_autograd_by_hand_and_whole_batches_are_the_closed_form(s4: Dataset, contender: Callable[..., Any]) -> None:
    expected = closed_form(s4, 0.1, 37)
    np.testing.assert_allclose(solution(contender, "torch.gd", s4, steps=37, lr=0.1), expected, rtol=1e-12)
    # A batch of all rows is full-batch descent, whatever their order.
    whole = solution(contender, "torch.minibatch", s4, steps=37, lr=0.1, batch_size=1000)
    np.testing.assert_allclose(whole, expected, rtol=1e-12)


@pytest.mark.needs("torch", "sklearn")
def test_adam_on_least_squares_finds_the_solution(s4: Dataset, contender: Callable[..., Any]) -> None:
    ols = solution(contender, "sklearn.ols", s4)
    found = solution(contender, "torch.adam", s4, objective="least_squares", lr=0.05, steps=1500)
    np.testing.assert_allclose(found, ols, rtol=1e-8)  # Adam contracts linearly here; 1500 steps leave 1e-10


@pytest.mark.needs("torch")
def test_batches_without_shuffling_are_the_loop_over_slices(
    linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    data = linear(n=10, start={"weights": [0.0, 0.0], "bias": 0.0, "sigma": 1.0})
    fit, clock = contender("torch.minibatch", data, steps=7, lr=0.05, batch_size=4, shuffle=False).fit(data)
    design, theta = np.column_stack([data.arrays["x"], np.ones(10)]), np.zeros(3)
    for first in (0, 4, 8, 0, 4, 8, 0):
        rows = slice(first, min(first + 4, 10))
        residual = design[rows] @ theta - data.arrays["y"][rows]
        theta -= 0.05 * 2 / len(residual) * design[rows].T @ residual
    np.testing.assert_allclose(np.append(fit.draws["weights"], fit.draws["bias"]), theta, rtol=1e-12)
    assert fit.stats["gradients"] == pytest.approx(2.4)
    assert {c.step: c.gradients for c in clock.checkpoints}[6] == pytest.approx(2.0)  # two epochs of three batches


@pytest.mark.needs("torch")
def test_an_epoch_of_shuffled_batches_is_every_row_once() -> None:
    torch, batches = (importlib.import_module(name) for name in ("torch", "backends.torch.batches"))
    rows = batches.Rows(torch.arange(20.0)[:, None], torch.arange(20.0))
    drawn = batches.loaded(rows, 6, True, 3)
    orders = [torch.cat([next(drawn)[1] for _ in range(4)]).tolist() for _ in range(2)]
    assert all(sorted(order) == list(range(20)) for order in orders) and orders[0] != orders[1]
    again = batches.loaded(rows, 6, True, 3)
    assert torch.cat([next(again)[1] for _ in range(4)]).tolist() == orders[0]


@pytest.mark.needs("torch", "sklearn")
def test_mini_batches_on_s2_come_close_to_the_least_loss(
    linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    data = linear(n=1000, weights=(0.5, -1.2, 0.3, 2.0), bias=0.0, noise=0.1)
    found = solution(contender, "torch.minibatch", data, steps=800)
    ols = solution(contender, "sklearn.ols", data)
    design = np.column_stack([data.arrays["x"], np.ones(1000)])
    gap = np.mean((data.arrays["y"] - design @ found) ** 2) - np.mean((data.arrays["y"] - design @ ols) ** 2)
    assert 0 <= gap < 1e-4  # the reach set for 100 epochs of batches of 128 at 0.01


@pytest.mark.needs("torch", "sklearn")
@pytest.mark.parametrize("form", ["tensors", "module", "sequential"])
def test_a_target_of_one_column_never_broadcasts(
    form: str, linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    """Predictions (n, 1) against y (n,) would be compared as (n, n), whose optimum is the mean of y, weights 0."""
    data = linear(n=40, noise=0.1)
    ols = solution(contender, "sklearn.ols", data)
    # 1000 contractions by at most 0.6 leave rounding only.
    np.testing.assert_allclose(solution(contender, "torch.sgd", data, form=form), ols, rtol=1e-10)


@pytest.mark.parametrize(("name", "lr"), [("torch.gd", 0.3), ("torch.minibatch", 0.3), ("torch.adam", 0.05)])
def test_no_other_method_broadcasts_either(
    name: str, lr: float, linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    data = linear(n=40, noise=0.1)
    options = {"objective": "least_squares"} if name == "torch.adam" else {}
    found = solution(contender, name, data, lr=lr, **options)
    np.testing.assert_allclose(found, solution(contender, "sklearn.ols", data), rtol=1e-6)  # of Adam; others 1e-12


@pytest.mark.parametrize("name", ["numpy.gd", "torch.sgd", "torch.gd"])
def test_too_large_a_rate_is_divergence_with_step_and_reason(
    name: str, linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    data = linear()
    design = np.column_stack([data.arrays["x"], np.ones(50)])
    largest = np.linalg.eigvalsh(2 * design.T @ design)[-1]
    lr = 1.3 * 2 / (largest / 50)
    with pytest.raises(Diverged, match=r"loss is (inf|nan) at step \d+; lr·λmax/2 = 1\.3 exceeds 1"):
        contender(name, data, steps=5000, lr=lr).fit(data)


@pytest.mark.parametrize(
    ("name", "options"),
    [("numpy.gd", {"lr": 0.02}), ("torch.sgd", {"lr": 0.1}), ("torch.sgd", {"lr": 0.002, "loss": "sum"})],
)
def test_the_step_limit_of_the_data_is_stated(
    name: str, options: dict[str, Any], linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    data = linear(bias=None)
    fit, _ = contender(name, data, **options).fit(data)
    hessian = 2 * data.arrays["x"].T @ data.arrays["x"] / (1 if options.get("loss") == "sum" else 50)
    assert any(f"lr·λmax/2 = {fit.stats['lr_limit']:.3g}" in note for note in fit.notes)
    np.testing.assert_allclose(fit.stats["lr_limit"], options["lr"] * np.linalg.eigvalsh(hessian)[-1] / 2, rtol=1e-12)


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
    assert set(fit.draws) == {"weights", "bias"} and "plug_in" not in fit.stats
    assert not any("plugged in" in note for note in fit.notes)


def test_a_start_is_the_first_iterate_plus_one_step(s4: Dataset, contender: Callable[..., Any]) -> None:
    at_rest = replace(s4, start={"weights": np.zeros(1), "bias": np.zeros(())})
    found = solution(contender, "numpy.gd", at_rest, steps=1, lr=0.5)
    x, y = s4.arrays["x"][:, 0], s4.arrays["y"]
    np.testing.assert_allclose(found, [np.mean(x * y), np.mean(y)], rtol=1e-12)  # −lr times the gradient at 0


def test_starts_are_the_scenarios_or_drawn_inside_the_support(linear: Callable[..., Dataset]) -> None:
    wide, narrow = Prior("uniform", (-100.0, 100.0)), Prior("uniform", (0.0, 1.0))
    for seed in range(20):
        found = point.start(linear(location=wide, sigma=narrow, start={"bias": 7.0}), seed)
        assert found["bias"] == 7.0 and np.all(np.abs(found["weights"]) < 2) and 0 < found["sigma"] < 1
        assert np.exp(-2) < point.start(linear(), seed)["sigma"] < np.exp(2)


def test_float32_is_computed_in_float32(s4: Dataset, contender: Callable[..., Any]) -> None:
    found = solution(contender, "numpy.gd", s4, steps=100, lr=0.1, place=Place(dtype="float32"))
    error = np.abs(found - closed_form(s4, 0.1, 100)).max()
    assert 1e-9 < error < 1e-5  # the rounding of float32, neither float64's nor a wrong answer


@pytest.mark.needs("torch")
def test_adam_on_a_natural_sigma_below_zero_diverges_and_says_so(
    linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    data = linear(noise=0.01, start={"weights": [1.5, -2.8], "bias": 0.5, "sigma": 0.05})
    with pytest.raises(Diverged, match=r"at step \d+: sigma .*(left|not finite)"):
        contender("torch.adam", data, lr=0.2).fit(data)
    fit, _ = contender("torch.adam", data, lr=0.05, steps=300, space="unconstrained").fit(data)
    assert fit.draws["sigma"][0, 0] > 0

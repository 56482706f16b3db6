"""Pyro's NUTS and HMC: the right answer eager and traced, with gradients counted where Pyro takes them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.measure.clock import WallClock
from bench.types import Dataset, Diverged, Prior, Unsupported

pytestmark = pytest.mark.needs("pyro")


@pytest.fixture
def data(linear: Callable[..., Dataset]) -> Dataset:
    """Two weights with flat priors, noise known: as cheap as a model can be."""
    return linear(bias=None, location=Prior("flat"), sigma=Prior("known", (1.0,)))


@pytest.mark.parametrize(("method", "jit"), [("nuts", False), ("nuts", True), ("hmc", False)])
def test_every_gradient_is_counted_in_its_phase(
    method: str, jit: bool, data: Dataset, contender: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock that counts calls of torch's own `grad` instead of seconds; warnings are errors here."""
    made, integrator = contender(f"pyro.{method}", data, draws=30, chains=2, jit_compile=jit), "pyro.ops.integrator"
    grad, calls = importlib.import_module(integrator).grad, []

    def counting(*args: Any) -> Any:
        calls.append(1)
        return grad(*args)

    monkeypatch.setattr(importlib.import_module(integrator), "grad", counting)
    clock = WallClock(timer=lambda: float(len(calls)))
    fit = made.method.draw(made.method.fit(made.program, data.observed(), 1, clock))
    stats, traced = fit.stats, clock.seconds.pop("compile", 0.0)
    assert traced == (importlib.import_module("backends.pyro.sampler").TRACED_CALLS if jit else 0)
    assert clock.seconds == {
        "transfer": 0.0, "warmup": stats["gradients_warmup"], "sample": stats["num_steps"].sum()
    }  # fmt: skip
    assert stats["gradients"] == stats["gradients_executed"] == len(calls) - traced
    assert fit.draws["weights"].shape == (2, 30, 2) and stats["num_steps"].shape == stats["diverging"].shape == (2, 30)
    exact = family("linear").reference(data)
    # 60 draws, worth 15 at least: five standard errors of the mean.
    assert np.all(np.abs(fit.draws["weights"].mean((0, 1)) - exact.mean["weights"]) < 1.3 * exact.sd["weights"])
    assert not np.array_equal(fit.draws["weights"][0], fit.draws["weights"][1])


def test_a_chain_without_a_start_says_so(data: Dataset, contender: Callable[..., Any]) -> None:
    torch, made = importlib.import_module("torch"), contender("pyro.nuts", data, draws=10)
    sampler = importlib.import_module("backends.pyro.sampler")
    potential = sampler.Potential(lambda sites: sites["weights"].sum() * torch.nan)
    with pytest.raises(Diverged, match="no start"):
        sampler._start(made.program, data, potential, np.random.default_rng(1))
    assert potential.gradients == sampler.ATTEMPTS


@pytest.mark.parametrize("options", [{"target_accept": 1.5}, {"max_tree_depth": 0}])
def test_options_without_a_meaning_are_refused(
    options: dict[str, Any], data: Dataset, contender: Callable[..., Any]
) -> None:
    with pytest.raises(Unsupported, match=r"target_accept=.*, max_tree_depth="):
        contender("pyro.nuts", data, **options)


@pytest.mark.parametrize("options", [{"target_accept": 0.0}, {"trajectory": 0.0}, {"jitter": 1.0}, {"max_steps": -1}])
def test_trajectories_without_length_are_refused(
    options: dict[str, Any], data: Dataset, contender: Callable[..., Any]
) -> None:
    with pytest.raises(Unsupported, match=next(iter(options))):
        contender("pyro.hmc", data, **options)


def test_trajectories_of_hmc_are_as_long_as_the_options_say(data: Dataset, contender: Callable[..., Any]) -> None:
    made = contender("pyro.hmc", data, trajectory=2.0, jitter=0.5, max_steps=27)
    kernel = made.program.kernel(lambda sites: 0.0)
    kernel._adapter.step_size = 0.1
    assert {kernel.num_steps for _ in range(100)} == {10}  # what is allowed while the metric is not learned
    kernel.mass_matrix_adapter.inverse_mass_matrix = {("weights",): torch.full((3,), 0.5)}
    steps = np.array([kernel.num_steps for _ in range(5000)])
    assert steps.min() == 10 and steps.max() == 27  # lengths of 1 to 3, cut at 2.7
    # the whole part of a number that is uniform on 10 to 30; five errors of the mean
    assert abs(steps.mean() - np.minimum(np.arange(10, 30), 27).mean()) < 5 * steps.std() / np.sqrt(5000)
    plain = contender("pyro.hmc", data, trajectory=2.0, jitter=0.0, max_steps=0).program.kernel(lambda sites: 0.0)
    plain._adapter.step_size = 0.013
    assert {plain.num_steps for _ in range(3)} == {153}  # as HMC itself counts: the whole part of 2/0.013


@pytest.mark.slow
@pytest.mark.parametrize(("method", "of"), [("nuts", "eight-schools"), ("hmc", "s4-linear")])
def test_the_posterior_of_traced_fits_is_the_exact_one(method: str, of: str, contender: Callable[..., Any]) -> None:
    """That of eager ones is looked at in `test_conformance`."""
    data = dataset(scenario(of), seed=0, rep=0)
    fit, clock = contender(f"pyro.{method}", data, draws=300, jit_compile=True).fit(data)
    assert clock.seconds["compile"] > 0.0
    exact = family(data.family).reference(data)
    for name in data.names:
        # 1200 draws, effective size 300 or more: five standard errors of a mean, and of an sd for these heavy tails.
        assert np.all(np.abs(fit.draws[name].mean((0, 1)) - exact.mean[name]) < 0.29 * exact.sd[name])
        np.testing.assert_allclose(fit.draws[name].std((0, 1)), exact.sd[name], rtol=0.35)

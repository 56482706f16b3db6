"""Chains that go on: draws in blocks are those of one fit."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.measure.clock import WallClock
from bench.measure.pursuit import joined
from bench.measure.runtime import runtime_of
from bench.types import Budget, Dataset, Fit, Place, Prior

BUDGET = Budget("test", chains=3, warmup=20, draws=40, steps=1, reps=1, rounds=1, timeout=60.0)


def drawn(name: str, data: Dataset, budget: Budget, *more: int) -> Fit:
    """A fit of so many draws, and of those that follow in blocks."""
    runtime_of(name.partition(".")[0]).start(Place())
    method = importlib.import_module(f"backends.{name}")
    program = method.build(data.skeleton(), budget, method.Options(), Place())
    if hasattr(method, "compile"):
        method.compile(program, data.skeleton())
    clock = WallClock()
    state = method.fit(program, data, 1, clock)
    blocks = [method.draw(state)]
    for draws in more:
        before = clock.seconds["sample"]
        state = method.resume(program, data, state, draws, clock)
        assert clock.seconds["sample"] > before
        blocks.append(method.draw(state))
        assert next(iter(blocks[-1].draws.values())).shape[:2] == (budget.chains, draws)
    return joined(blocks)


@pytest.mark.parametrize(
    ("name", "first", "then"),
    [
        pytest.param("torch.nuts", 15, (5, 20), marks=pytest.mark.needs("torch")),
        pytest.param("torch.hmc", 15, (25,), marks=pytest.mark.needs("torch")),
        pytest.param("torch.chees", 15, (25,), marks=pytest.mark.needs("torch")),
        # random numbers come a hundred steps at a time
        pytest.param("torch.metropolis", 100, (100,), marks=pytest.mark.needs("torch")),
        pytest.param("blackjax.nuts", 15, (5, 120), marks=pytest.mark.needs("blackjax")),
        pytest.param("blackjax.chees", 15, (25,), marks=[pytest.mark.needs("blackjax"), pytest.mark.slow]),
        pytest.param("blackjax.mclmc", 15, (25,), marks=[pytest.mark.needs("blackjax"), pytest.mark.slow]),
        pytest.param("pymc.nuts", 15, (5, 20), marks=pytest.mark.needs("pymc")),
    ],
)
def test_blocks_are_one_fit(name: str, first: int, then: tuple[int, ...], linear: Callable[..., Dataset]) -> None:
    whole = drawn(name, linear(), replace(BUDGET, draws=first + sum(then)))
    parts = drawn(name, linear(), replace(BUDGET, draws=first, until=0.01), *then)
    for key, values in whole.draws.items():
        np.testing.assert_array_equal(parts.draws[key], values)
    _same_counts(parts, whole)


@pytest.mark.needs("pyro")
@pytest.mark.parametrize("name", ["pyro.nuts", "pyro.hmc"])
def test_blocks_of_pyro_are_one_fit(name: str, linear: Callable[..., Dataset]) -> None:
    """Of one chain: all chains draw from torch's one generator, in another order when they go on."""
    data = linear(bias=None, location=Prior("flat"), sigma=Prior("known", (1.0,)))
    one = replace(BUDGET, chains=1, warmup=10)
    whole = drawn(name, data, replace(one, draws=20))
    parts = drawn(name, data, replace(one, draws=8, until=0.01), 4, 8)
    for key, values in whole.draws.items():
        np.testing.assert_array_equal(parts.draws[key], values)
    _same_counts(parts, whole)


@pytest.mark.slow
@pytest.mark.needs("numpyro")
def test_blocks_of_numpyro_are_the_draws_of_its_one_program(linear: Callable[..., Dataset]) -> None:
    whole = drawn("numpyro.nuts", linear(), BUDGET)
    parts = drawn("numpyro.nuts", linear(), replace(BUDGET, draws=30, until=0.01), 10)
    for key, values in whole.draws.items():
        np.testing.assert_allclose(parts.draws[key], values, rtol=1e-6)  # two programs may round otherwise
    _same_counts(parts, whole)


def _same_counts(parts: Fit, whole: Fit) -> None:
    counted: dict[str, Any] = {k: v for k, v in whole.stats.items() if k.startswith("gradients")}
    assert counted and {k: parts.stats[k] for k in counted} == counted
    for name in ("num_steps", "diverging", "log_density"):
        if name in whole.stats:
            np.testing.assert_allclose(parts.stats[name], whole.stats[name], rtol=1e-6)


def test_exact_draws_go_on_with_new_ones(linear: Callable[..., Dataset]) -> None:
    both = drawn("exact.posterior", linear(), BUDGET, 10).draws["sigma"]
    assert both.shape == (3, 50) and len(np.unique(both)) == both.size

"""nutpie: what it counts, one program for all data, and its models, which are PyMC's."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.measure.clock import WallClock
from bench.measure.pursuit import joined
from bench.types import Array, Budget, Dataset, Place, Unsupported

pytestmark = pytest.mark.needs("nutpie", "pymc")


@pytest.fixture(scope="module")
def fitted(contender: Callable[..., Any]) -> Any:
    """A contender of `eight-schools`, compiled once for these tests."""
    return contender("nutpie.nuts", schools(), draws=1000)


def schools() -> Dataset:
    return dataset(scenario("eight-schools"), seed=0, rep=0)


def test_other_data_compile_nothing_and_have_their_own_answer(fitted: Any) -> None:
    before = fitted.runtime.compile_seconds()
    moved = replace(schools(), arrays={**schools().arrays, "y": schools().arrays["y"] + 15.0})
    for data in (schools(), moved):
        fit, clock = fitted.fit(data)
        assert set(clock.seconds) == {"transfer", "warmup+sample"} and clock.recompiled == 0.0
        exact = family(data.family).reference(data)
        for name in data.names:
            # 4000 draws, worth 1000 of independent ones and more: five standard errors of a mean
            assert np.all(np.abs(fit.draws[name].mean((0, 1)) - exact.mean[name]) < 0.16 * exact.sd[name])
        z = family(data.family).unconstrain(data, fit.draws)
        values = family(data.family).log_density(data, z)[0]
        # rounding of a hundred nats; the other data would be off by whole ones
        np.testing.assert_allclose(
            fit.stats["log_density"] - fit.stats["log_density"][0, 0], values - values[0, 0], atol=1e-9
        )
    assert fitted.runtime.compile_seconds() == before > 0.0


def test_the_gradients_of_all_trees_are_counted(fitted: Any) -> None:
    fit, _ = fitted.fit(schools())
    kept = fit.stats["num_steps"]
    assert kept.shape == (4, 1000) and kept.min() >= 1
    assert fit.stats["gradients"] - fit.stats["gradients_warmup"] == kept.sum()
    assert fit.stats["gradients_warmup"] >= 4 * 1000
    assert fit.stats["accept_prob"].mean() > 0.7


def test_chains_that_go_on_are_those_of_one_fit(fitted: Any) -> None:
    whole, _ = fitted.fit(schools())
    method, budget = fitted.method, replace(fitted.program.budget, draws=25, until=0.01)
    program, clock = replace(fitted.program, budget=budget), WallClock()
    state = method.fit(program, schools(), 1, clock)
    blocks = [method.draw(state)]
    for draws in (10, 60):
        state = method.resume(program, schools(), state, draws, clock)
        blocks.append(method.draw(state))
    assert [block.draws["mu"].shape[1] >= least for block, least in zip(blocks, (25, 10, 60), strict=True)] == [
        True
    ] * 3
    parts, made = joined(blocks), min(1000, sum(block.draws["mu"].shape[1] for block in blocks))
    for name in whole.draws:
        np.testing.assert_array_equal(parts.draws[name][:, :made], whole.draws[name][:, :made])
    np.testing.assert_array_equal(parts.stats["num_steps"][:, :made], whole.stats["num_steps"][:, :made])
    assert parts.stats["gradients_warmup"] == whole.stats["gradients_warmup"]
    assert parts.stats["gradients"] == parts.stats["gradients_warmup"] + parts.stats["num_steps"].sum()


def test_threads_change_nothing_but_the_seconds(fitted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = fitted.fit(schools())
    monkeypatch.setattr(fitted.program, "place", Place(threads=2))
    two, _ = fitted.fit(schools())
    for name in schools().names:
        np.testing.assert_array_equal(one.draws[name], two.draws[name])


def test_starts_are_uniform_and_differ_by_chain(fitted: Any) -> None:
    compiled = fitted.program.compiled
    starts = np.array([compiled.initial_point_func(seed) for seed in range(200)])
    assert starts.shape == (200, compiled.n_dim) and np.abs(starts).max() < 2.0
    # the sd of U(−2, 2) is 1.155; that of 2000 of them errs by 0.9 %
    assert starts.std() == pytest.approx(4 / np.sqrt(12), rel=0.05)


def test_nothing_but_the_search_for_a_first_step_is_left_uncounted() -> None:
    """A normal in Python, whose evaluations are counted."""
    nutpie = importlib.import_module("nutpie")
    calls = []

    def density() -> Callable[[Array], tuple[float, Array]]:
        def log_density(x: Array) -> tuple[float, Array]:
            calls.append(1)
            return -0.5 * float(x @ x), -x

        return log_density

    model = importlib.import_module("nutpie.compiled_pyfunc").from_pyfunc(
        3,
        density,
        lambda *_: lambda x: {"x": x},
        [np.dtype("float64")],
        [(3,)],
        ["x"],
        make_initial_point_fn=lambda seed: np.random.default_rng(seed).uniform(-2, 2, 3),
    )
    for warmup in (100, 400):
        calls.clear()
        trace = nutpie.sample(
            model, draws=100, tune=warmup, chains=1, cores=1, seed=1, progress_bar=False, return_raw_trace=True
        )
        (found,) = trace.get_arrow_trace()[1]
        steps = importlib.import_module("backends.nutpie.trace")._column(found, "n_steps")
        # a start, and steps that are doubled or halved until one is accepted often enough: however long the chain
        assert 5 <= len(calls) - steps.sum() <= 25


def test_no_warmup_is_refused() -> None:
    method = importlib.import_module("backends.nutpie.nuts")
    budget = Budget("test", chains=2, warmup=0, draws=20, steps=1, reps=1, rounds=1, timeout=60.0)
    with pytest.raises(Unsupported, match="warmup=0"):
        method.build(schools(), budget, method.Options(), Place())


def test_its_models_are_those_of_pymc() -> None:
    ours, theirs = (importlib.import_module(f"backends.{name}.models") for name in ("nutpie", "pymc"))
    assert ours.MODELS.keys() == theirs.MODELS.keys()
    z = np.random.default_rng(0).uniform(-2, 2, (2, schools().dim))
    for ours_, theirs_ in zip(
        ours.log_density(schools(), z, Place()), theirs.log_density(schools(), z, Place()), strict=True
    ):
        np.testing.assert_array_equal(ours_, theirs_)

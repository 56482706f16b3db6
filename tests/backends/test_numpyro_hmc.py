"""HMC of NumPyro: one program, nothing compiled while it is timed, and trajectories as long as the options say."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from bench.data import family
from bench.types import Dataset, Prior, Unsupported

pytestmark = pytest.mark.needs("numpyro")


class State(NamedTuple):
    """As much of NumPyro's state as a length depends on."""

    trajectory_length: Any
    rng_key: Any
    adapt_state: Any


class Adapted(NamedTuple):
    """Step size and roots of the metric."""

    step_size: Any
    mass_matrix_sqrt: Any


def lengths(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], root: Any, draws: int = 1) -> Any:
    """What HMC itself is told of the length of as many trajectories, at a step size of 0.1."""
    jax, jnp = importlib.import_module("jax"), importlib.import_module("jax.numpy")
    method, kernel = importlib.import_module("backends.numpyro.hmc"), importlib.import_module("numpyro.infer").HMC
    monkeypatch.setattr(
        kernel, "sample", lambda self, state, args, kwargs: state._replace(adapt_state=state.trajectory_length)
    )
    chosen = method.Options(**options)
    jittered = method.Jittered(lambda: None, 10, chosen)

    def told(key: Any) -> Any:
        moved = jittered.sample(State(chosen.trajectory, key, Adapted(0.1, jnp.asarray(root))), (), {})
        assert moved.trajectory_length == chosen.trajectory  # the mean length stays
        return moved.adapt_state

    return np.asarray(jax.vmap(told)(jax.random.split(jax.random.key(0), draws)))


def test_trajectories_are_as_long_as_the_options_say(monkeypatch: pytest.MonkeyPatch) -> None:
    learned, unknown = [0.5, 2.0], [1.0, 1.0]
    free = lengths(monkeypatch, {"trajectory": 2.0, "max_steps": 0}, learned, 20_000)
    assert 1.0 <= free.min() < 1.01 and 2.99 < free.max() <= 3.0
    assert abs(free.mean() - 2.0) < 5 * free.std() / np.sqrt(20_000)
    cut = lengths(monkeypatch, {"trajectory": 2.0, "max_steps": 25}, learned, 1000)
    assert np.ceil(cut / 0.1).max() == 25
    assert np.ceil(lengths(monkeypatch, {"trajectory": 2.0}, unknown, 1000) / 0.1).max() == 10
    assert np.ceil(lengths(monkeypatch, {"trajectory": 2.0}, np.eye(2), 1000) / 0.1).max() == 10
    plain = lengths(monkeypatch, {"trajectory": 6.28, "jitter": 0.0, "max_steps": 0}, unknown)
    assert plain == 6.28  # as NumPyro has it


def test_one_program_serves_seeds_and_data_and_compiles_nothing_more(
    linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    known = {"bias": None, "sigma": Prior("known", (1.0,))}
    made = contender("numpyro.hmc", linear(**known), draws=200, max_steps=12)
    for data, seed in ((linear(**known), 1), (linear(seed=5, weights=(0.1, 4.0), **known), 3)):
        before = made.runtime.compile_seconds()
        fit, clock = made.fit(data, seed)
        assert made.runtime.compile_seconds() == before and clock.recompiled == 0.0
        exact, stats = family("linear").reference(data), fit.stats
        # 800 draws of an almost independent sampler: the mean is within 5/√400 posterior sds.
        assert np.all(np.abs(fit.draws["weights"].mean((0, 1)) - exact.mean["weights"]) < 0.25 * exact.sd["weights"])
        assert stats["num_steps"].min() >= 1 and stats["num_steps"].max() <= 12 and np.ptp(stats["num_steps"]) > 0
        assert stats["gradients"] == stats["gradients_warmup"] + stats["num_steps"].sum() < stats["gradients_executed"]
        assert "treedepth_hits" not in stats


@pytest.mark.parametrize("options", [{"trajectory": 0.0}, {"jitter": 1.0}, {"max_steps": -1}])
def test_trajectories_without_length_are_refused(
    options: dict[str, Any], linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    with pytest.raises(Unsupported, match=next(iter(options))):
        contender("numpyro.hmc", linear(), **options)

"""NumPyro's NUTS: one program, nothing compiled while it is timed, and the same sampler either way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.data import family
from bench.types import Dataset, Unsupported

pytestmark = pytest.mark.needs("numpyro")


def test_one_program_serves_seeds_and_data_and_compiles_nothing_more(
    linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    made = contender("numpyro.nuts", linear(), draws=200, chain_method="sequential")
    assert made.compile_clock.seconds["compile"] > 0.1  # the program was compiled, and JAX said so
    for data, seed in ((linear(), 1), (linear(), 2), (linear(seed=5, weights=(0.1, 4.0)), 3)):
        before = made.runtime.compile_seconds()
        fit, clock = made.fit(data, seed)
        assert made.runtime.compile_seconds() == before and clock.recompiled == 0.0
        # 800 draws of an almost independent sampler: the mean is within 5/√400 posterior sds.
        exact = family("linear").reference(data)
        assert np.all(np.abs(fit.draws["weights"].mean((0, 1)) - exact.mean["weights"]) < 0.25 * exact.sd["weights"])
        assert not np.array_equal(fit.draws["bias"][0], fit.draws["bias"][1])
        assert fit.stats["gradients_executed"] == fit.stats["gradients"]  # only vectorised chains wait for each other


@pytest.mark.slow
def test_the_plain_path_compiles_on_every_call_and_it_is_booked_as_compile(
    linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    data = linear()
    fit, clock = contender("numpyro.nuts", data, draws=200, chains=2, aot=False).fit(data)
    assert clock.recompiled > 0.1 and clock.seconds["compile"] == clock.recompiled
    assert clock.seconds["warmup+sample"] < clock.recompiled
    assert fit.stats["gradients_executed"] > fit.stats["gradients"]
    after = fit.stats["gradients_executed"] - fit.stats["gradients_executed_warmup"]
    assert after == fit.stats["num_steps_executed"].sum() == 2 * fit.stats["num_steps"].max(0).sum()
    assert fit.draws["weights"].shape == (2, 200, 2) and fit.stats["num_steps"].shape == (2, 200)
    exact = family("linear").reference(data)
    # 400 draws: 5/√200 posterior sds.
    assert np.all(np.abs(fit.draws["weights"].mean((0, 1)) - exact.mean["weights"]) < 0.36 * exact.sd["weights"])


def test_parallel_chains_without_devices_are_unsupported(
    linear: Callable[..., Dataset], contender: Callable[..., Any]
) -> None:
    with pytest.raises(Unsupported, match=r"chain_method=parallel needs aot=false and a device per chain"):
        contender("numpyro.nuts", linear(), chain_method="parallel")

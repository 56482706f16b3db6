"""What a fit does to a GPU, on stand-ins for one: PyTorch's is `standin_gpu`, JAX's a CPU that computes later."""

from __future__ import annotations

import importlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.catalog.scenarios import scenario
from bench.cell import Cell
from bench.data import dataset
from bench.measure.clock import WallClock
from bench.measure.contender import Attempt, Contender
from bench.measure.runtime import runtime_of
from bench.types import Dataset, Place

torch = pytest.importorskip("torch", reason="needs torch: pip install 'posterior-bench[torch]'")
standin = importlib.import_module("tests.backends.standin_gpu")

SHORT = {"warmup": 2, "draws": 2, "chains": 2}
METHODS: dict[str, dict[str, Any]] = {
    "torch.adam": {"steps": 3},
    "torch.map": {"steps": 3},
    "torch.gd": {"steps": 3},
    "torch.sgd": {"steps": 3},
    "torch.minibatch": {"steps": 3},
    "torch.laplace": {"steps": 8},
    "torch.metropolis": SHORT,
    "torch.hmc": SHORT,
    "torch.nuts": SHORT | {"max_tree_depth": 2},
    "torch.chees": SHORT | {"ensemble": 2, "superchains": 0},
    "torch.lbfgs": {"steps": 3},
    "torch.sufficient": SHORT | {"ensemble": 2},
    "pyro.map": {"steps": 2},
    "pyro.svi": {"steps": 2, "guide": "normal", "restarts": 1},
    "pyro.nuts": SHORT | {"chains": 1, "max_tree_depth": 2},
}
"""Every loop over operations; short ones, as each operation is interpreted here."""


def _needs(framework: str) -> None:
    words = f"needs {framework}: pip install 'posterior-bench[{framework}]'"
    pytest.importorskip(framework, reason=words)


def data(name: str = "correlated-rho95", **overrides: Any) -> Dataset:
    return dataset(scenario(name, overrides), seed=0, rep=0)


def fitted(backend: str, *, waits: bool = True) -> tuple[Attempt, Any]:
    """A fit on the stand-in and the stand-in; without `waits` the harness never waits for it."""
    _needs(backend.partition(".")[0])
    cell = Cell("correlated-rho95", (), backend, tuple(METHODS[backend].items()), "quick", "matched", "cuda", "float64")
    with standin.standing_in() as gpu:
        contender = Contender(cell, 1)
        contender.timer = gpu.timer  # type: ignore[method-assign]
        contender._start()
        if not waits:
            contender.runtime = replace(contender.runtime, synchronize=lambda: None)
        gpu.operations = gpu.moved = 0
        return contender.attempt(lambda: data(n_obs=12), 1, cold=True), gpu


@pytest.mark.parametrize("backend", METHODS)
def test_no_phase_ends_and_no_checkpoint_is_taken_while_the_device_computes(backend: str) -> None:
    attempt, gpu = fitted(backend)
    assert attempt.status == "ok", attempt.reason
    assert gpu.unfinished == []
    assert sum(attempt.clock.seconds.values()) <= gpu.operations  # a second each; copies to the host are in none
    assert 2 <= attempt.clock.seconds["transfer"] <= gpu.moved  # x and y at least, and nothing that is no copy
    assert any("opening the device took" in note for note in attempt.notes)


@pytest.mark.parametrize("backend", ["torch.adam", "torch.metropolis"])
def test_a_harness_that_does_not_wait_would_be_found_out(backend: str) -> None:
    attempt, gpu = fitted(backend, waits=False)
    assert gpu.unfinished and attempt.clock.seconds["transfer"] < 2


MODELS = (
    "s0-exponential", "robust-unknown-df", "logistic", "poisson-exposure", "negative-binomial", "gamma", "binomial",
    "s3-best", "eight-schools", "varying-intercept", "varying-intercept-poisson", "cauchy-priors", "s1-known-noise",
)  # fmt: skip


@pytest.mark.parametrize("framework", ["torch", "pyro"])
def test_every_model_keeps_to_the_device(framework: str) -> None:
    """An operand that was left on the host is refused, as CUDA refuses it."""
    _needs(framework)
    models = importlib.import_module(f"backends.{framework}.models")
    runtime_of(framework).start(Place())
    for name in MODELS:
        made = data(name)
        z = np.linspace(-0.4, 0.4, made.dim)[None]
        with standin.standing_in():
            value, gradient = models.log_density(made, z, Place("cuda"))
        there = models.log_density(made, z, Place())
        assert np.array_equal(value, there[0]) and np.array_equal(gradient, there[1]), name


def test_the_device_is_opened_when_it_is_started_and_its_memory_read() -> None:
    runtime = runtime_of("torch")
    with standin.standing_in() as gpu:
        runtime.start(Place("cuda"))
        assert gpu.operations and not gpu.queued  # CUDA's context, cuBLAS, and the wait for both
        assert runtime.peak_device_bytes() == gpu.bytes > 0
    runtime.start(Place())
    assert runtime.peak_device_bytes() == 0


@pytest.mark.needs("numpyro")
def test_the_clock_waits_for_what_jax_has_yet_to_compute() -> None:
    jax = importlib.import_module("jax")
    runtime = runtime_of("numpyro")
    runtime.start(Place())
    power = jax.jit(lambda x: jax.lax.fori_loop(0, 12, lambda _, a: a @ a * 1e-3, x))  # large: dispatched, not awaited
    x = jax.numpy.ones((300, 300))
    power(x).block_until_ready()
    clock = WallClock(synchronize=runtime.synchronize)
    with clock("sample"):
        y = power(x)
        pending = not y.is_ready()
    assert pending and y.is_ready()
    with clock("sample"):
        y = power(x)
        clock.checkpoint(1, lambda: None if y.is_ready() else pytest.fail("taken too early"))  # type: ignore[arg-type,return-value]


@pytest.mark.needs("numpyro")
@pytest.mark.parametrize("stats", [{"peak_bytes_in_use": 4096, "bytes_in_use": 7}, {}, None])
def test_jax_opens_the_device_and_says_what_its_allocator_counts(
    monkeypatch: pytest.MonkeyPatch, stats: dict[str, int] | None
) -> None:
    platform = importlib.import_module("backends._shared.jax_platform")
    device, asked = SimpleNamespace(memory_stats=lambda: stats), list[tuple[str, Any]]()
    jax = platform.jax
    stand_in = SimpleNamespace(
        config=SimpleNamespace(update=lambda *setting: asked.append(setting)),
        devices=lambda name: asked.append(("devices", name)) or [device],
        numpy=SimpleNamespace(ones=lambda *_: asked.append(("opened", True)) or np.ones((2, 2))),
        live_arrays=lambda name: asked.append(("live", name)) or ["an array"],
        block_until_ready=lambda arrays: asked.append(("waited", arrays)),
    )
    monkeypatch.setattr(platform, "jax", stand_in)
    monkeypatch.setattr(platform, "_started", Place())
    platform.start(Place("cuda"))
    assert ("jax_default_device", device) in asked and asked[-1] == ("opened", True)
    platform.synchronize()
    assert asked[-2:] == [("live", "cuda"), ("waited", ["an array"])]
    assert platform.peak_device_bytes() == (stats or {}).get("peak_bytes_in_use")
    assert asked[-1] == ("devices", "cuda") and jax is not stand_in


@pytest.mark.parametrize("framework", ["torch", "pyro", "numpyro", "blackjax"])
def test_contenders_share_one_gpu_and_one_precision(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = importlib.import_module(f"backends.{framework}").environment
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert environment(Place(), "matched")["CUDA_VISIBLE_DEVICES"] == ""
    there = environment(Place("cuda", "float32"), "matched")
    assert there["CUDA_VISIBLE_DEVICES"] == "0" and there["NVIDIA_TF32_OVERRIDE"] == "0"
    for chosen, first in (("2,0", "2"), ("GPU-1f,GPU-2e", "GPU-1f"), ("", "")):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
        assert environment(Place("cuda"), "matched")["CUDA_VISIBLE_DEVICES"] == first
    shipped = environment(Place("cuda", "float32"), "defaults")
    assert not {"NVIDIA_TF32_OVERRIDE", "JAX_DEFAULT_MATMUL_PRECISION"} & set(shipped)
    assert there.get("JAX_DEFAULT_MATMUL_PRECISION") == ("highest" if "JAX_PLATFORMS" in there else None)

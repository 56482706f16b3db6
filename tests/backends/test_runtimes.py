"""What a framework's runtime sets, reads back and refuses."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from bench.catalog.backends import backend
from bench.catalog.frameworks import frameworks
from bench.catalog.places import backend_files
from bench.measure.runtime import runtime_of
from bench.types import Place, Unavailable

FRAMEWORKS = sorted(frameworks())


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_runtime_starts_on_the_cpu_and_reports(framework: str) -> None:
    runtime = runtime_of(framework)
    runtime.start(Place())
    runtime.synchronize()
    assert runtime.peak_device_bytes() == 0 and runtime.compile_seconds() >= 0.0
    assert runtime.threads() is None or runtime.threads() >= 1
    assert all(value.count(".") >= 1 for value in runtime.versions().values())


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_device_that_is_not_there_is_unavailable_with_what_was_found(framework: str) -> None:
    runtime = runtime_of(framework)
    if "torch" in frameworks()[framework].packages and importlib.import_module("torch").cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    if "jax" in frameworks()[framework].packages and importlib.import_module("jax").default_backend() == "gpu":
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(Unavailable, match="cuda"):
        runtime.start(Place("cuda"))


@pytest.mark.parametrize("framework", ["torch", "pyro"])
def test_threads_are_set_and_read_back(framework: str) -> None:
    runtime = runtime_of(framework)
    for threads in (2, 1):
        runtime.start(Place(threads=threads))
        assert runtime.threads() == threads


@pytest.mark.needs("numpyro")
def test_nested_compile_events_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = importlib.import_module("backends._shared.jax_platform")
    monkeypatch.setattr(runtime, "_counted", [])  # real events of the last two seconds would be nested as well
    monkeypatch.setattr(runtime, "_total", 0.0)
    runtime._listen("/jax/core/compile/jaxpr_trace_duration", 0.5)
    runtime._listen("/jax/core/compile/jaxpr_trace_duration", 2.0)  # it began before the first, which it contains
    runtime._listen("/jax/checkpoint/write_duration", 9.0)
    assert runtime.compile_seconds() == pytest.approx(2.0)


def test_a_framework_folder_imports_no_framework() -> None:
    names = ", ".join(f"backends.{f}" for f in FRAMEWORKS)
    heavy = {package for framework in frameworks().values() for package in framework.packages} - {"numpy"}
    code = f"import sys, {names}; print(sorted({heavy!r} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
    assert all(backend(name).home.packages for name in backend_files())


@pytest.mark.parametrize(
    ("place", "expected"),
    [(Place(), {"JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}), (Place("cuda", "float32"), {"JAX_ENABLE_X64": "0"})],
)
def test_jax_is_told_precision_and_platform_and_never_caches(place: Place, expected: dict[str, str]) -> None:
    environment = importlib.import_module("backends.numpyro").environment(place, "matched")
    assert environment.items() >= expected.items()
    assert environment["JAX_ENABLE_COMPILATION_CACHE"] == "0"


@pytest.mark.parametrize("framework", ["torch", "pyro"])
def test_torch_spins_only_by_default(framework: str) -> None:
    environment = importlib.import_module(f"backends.{framework}").environment
    assert environment(Place(), "matched")["OMP_WAIT_POLICY"] == "PASSIVE"
    assert "OMP_WAIT_POLICY" not in environment(Place(), "defaults")

"""Precision, device and compile seconds of JAX, for every framework that stands on it."""

from __future__ import annotations

import os
import time

import jax

from bench.types import Place, Unavailable

_started = Place()
_total = 0.0
_counted: list[tuple[float, float]] = []
_reused = 0


def _listen(event: str, seconds: float, **_: object) -> None:
    """Add an event that ends now, less the events nested in it, which reported before it."""
    global _total
    if not event.startswith("/jax/core/compile/"):
        return
    began = time.perf_counter() - seconds
    _total += seconds
    while _counted and _counted[-1][0] >= began:
        _total -= _counted.pop()[1]
    _counted.append((began, seconds))


def _notice(event: str, **_: object) -> None:
    """Count programs that came out of the compilation cache."""
    global _reused
    _reused += event == "/jax/compilation_cache/cache_hits"


jax.monitoring.register_event_duration_secs_listener(_listen)
jax.monitoring.register_event_listener(_notice)


def start(place: Place) -> None:
    """Set precision and default device, and open the device; Unavailable when it is not there."""
    global _started
    jax.config.update("jax_enable_x64", place.dtype == "float64")
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        device = jax.devices(place.device)[0]
    except RuntimeError as error:
        raise Unavailable(f"{place.device} was asked for; jax {jax.__version__} says: {error}") from error
    jax.config.update("jax_default_device", device)
    _started = place
    if place.device == "cuda":
        square = jax.numpy.ones((2, 2), place.dtype)
        float((square @ square).sum())  # opens CUDA's context and cuBLAS, which are no fit's


def synchronize() -> None:
    """Wait for every array that there is, also on the CPU, where JAX returns before it has computed as well.

    `jax.effects_barrier` waits for side effects alone: a program without any may still run when it returns.
    """
    jax.block_until_ready(jax.live_arrays(_started.device))


def peak_device_bytes() -> int | None:
    """Most bytes in use on the device since the process began; 0 on the CPU, None if the allocator does not count."""
    if _started.device == "cpu":
        return 0
    return (jax.devices(_started.device)[0].memory_stats() or {}).get("peak_bytes_in_use")


def compile_seconds() -> float:
    """Seconds that JAX's own events say it traced, lowered and compiled."""
    return _total


def threads() -> int | None:
    """XLA offers no read-back; its pool is as large as the affinity it found at start."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def reuse_compiled(folder: str) -> None:
    """Keep what is compiled in a folder of this run, and take it from there in its later rounds."""
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    jax.config.update("jax_enable_compilation_cache", True)


def reused_compiled() -> int:
    """Programs that were not compiled but taken from the folder, so far."""
    return _reused

"""JAX's runtime, for NumPyro."""

from backends._shared.jax_platform import (
    compile_seconds,
    peak_device_bytes,
    reuse_compiled,
    reused_compiled,
    start,
    synchronize,
    threads,
)

__all__ = [
    "compile_seconds",
    "peak_device_bytes",
    "reuse_compiled",
    "reused_compiled",
    "start",
    "synchronize",
    "threads",
]

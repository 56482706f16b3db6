"""NumPy on the host."""

import numpy

from backends.host import compile_seconds, peak_device_bytes, start, synchronize, threads

__all__ = ["compile_seconds", "peak_device_bytes", "start", "synchronize", "threads", "versions"]


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {"numpy": numpy.__version__}

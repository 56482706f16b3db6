"""NumPy on the host."""

import numpy
import scipy
import scipy.interpolate
import scipy.linalg
import scipy.optimize
import scipy.special  # what the reference uses, so that no timed phase loads it

from backends.host import compile_seconds, peak_device_bytes, start, synchronize, threads

__all__ = ["compile_seconds", "peak_device_bytes", "start", "synchronize", "threads", "versions"]


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {"numpy": numpy.__version__, "scipy": scipy.__version__}

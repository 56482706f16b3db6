"""Scikit-learn on the host."""

import numpy
import sklearn
from threadpoolctl import threadpool_info

from backends.host import compile_seconds, peak_device_bytes, start, synchronize

__all__ = ["compile_seconds", "peak_device_bytes", "start", "synchronize", "threads", "versions"]


def threads() -> int | None:
    """The largest thread pool of BLAS and OpenMP, as scikit-learn's own dependency reads it."""
    return max((pool["num_threads"] for pool in threadpool_info()), default=None)


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {"scikit-learn": sklearn.__version__, "numpy": numpy.__version__}

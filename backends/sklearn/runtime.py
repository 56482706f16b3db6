"""Threads of scikit-learn."""

from threadpoolctl import threadpool_info


def threads() -> int | None:
    """The largest thread pool of BLAS and OpenMP, as scikit-learn's own dependency reads it."""
    return max((pool["num_threads"] for pool in threadpool_info()), default=None)

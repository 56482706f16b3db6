"""Threads of scikit-learn."""

from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _pools() -> ThreadpoolController:
    """The pools of this process; to find them takes longer than a fit."""
    return ThreadpoolController()


def threads() -> int | None:
    """The largest thread pool of BLAS and OpenMP, as scikit-learn's own dependency reads it."""
    return max((pool["num_threads"] for pool in _pools().info()), default=None)

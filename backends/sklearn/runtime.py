"""Threads of scikit-learn."""

from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _pools() -> ThreadpoolController:
    """Those of this process, first asked for after a fit, when all are loaded: to find them takes longer than one."""
    return ThreadpoolController()


def threads() -> int | None:
    """The largest thread pool of BLAS and OpenMP, as scikit-learn's own dependency reads it."""
    return max((pool["num_threads"] for pool in _pools().info()), default=None)

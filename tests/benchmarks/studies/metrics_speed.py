"""Seconds of all chain diagnostics by ArviZ: `python -m tests.benchmarks.studies.metrics_speed 1000 4 1000`.

Beside them those of `bench.stats.effective`, which calibration uses for the two it needs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from bench.score.chains import NAMES, Diagnostics
from bench.stats.effective import bulk_and_tail


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(parameters: int = 1000, n_chains: int = 4, n_draws: int = 1000) -> None:
    """Print each diagnostic, all of them, and the two of a calibration."""
    draws = np.random.default_rng(0).standard_normal((n_chains, n_draws, parameters))
    diagnostics = Diagnostics(draws)
    each = {name: seconds(lambda name=name: getattr(diagnostics, name)) for name in NAMES}  # type: ignore[misc]
    print(f"{n_chains} chains × {n_draws} draws × {parameters} parameters")
    print(", ".join(f"{name} {value:.2f} s" for name, value in each.items()))
    own = seconds(lambda: bulk_and_tail(np.ascontiguousarray(np.moveaxis(draws, -1, 0))))
    print(f"all {sum(each.values()):.2f} s; bulk and tail ESS in NumPy alone {own:.2f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

"""Seconds of all chain diagnostics, ours against arviz-stats: `python -m tests.benchmarks.studies.metrics_speed`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from arviz_stats.base import array_stats

from bench.score import chains
from bench.types import Array


def theirs(draws: Array) -> dict[str, Array]:
    """The same eight numbers from arviz-stats, (chain, draw) last; its mcse of the sd is another formula."""
    return {
        "r_hat": array_stats.rhat(draws, method="rank"),
        "ess_bulk": array_stats.ess(draws, method="bulk"),
        "ess_tail": array_stats.ess(draws, method="tail", prob=(0.05, 0.95)),
        "ess_mean": array_stats.ess(draws, method="mean"),
        "mcse_mean": array_stats.mcse(draws, method="mean"),
        "mcse_sd": array_stats.mcse(draws, method="sd"),
        "mcse_q05": array_stats.mcse(draws, method="quantile", prob=0.05),
        "mcse_q95": array_stats.mcse(draws, method="quantile", prob=0.95),
    }


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(parameters: int = 1000, n_chains: int = 4, n_draws: int = 1000) -> None:
    """Print both, their ratio and the largest difference of what is defined alike."""
    draws = np.random.default_rng(0).standard_normal((parameters, n_chains, n_draws))
    ours = sorted(seconds(lambda: chains.diagnose(draws)) for _ in range(3))[1]
    other = seconds(lambda: theirs(draws))
    found, expected = chains.diagnose(draws[:50]), theirs(draws[:50])
    worst = max(
        float(np.max(np.abs(getattr(found, name) / value - 1))) for name, value in expected.items() if name != "mcse_sd"
    )
    print(f"{n_chains} chains × {n_draws} draws × {parameters} parameters, 8 diagnostics each")
    print(f"bench.score {ours:.2f} s (median of 3), arviz-stats {other:.2f} s, ratio {other / ours:.1f}")
    print(f"largest relative difference over 50 parameters {worst:.1e}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

"""The percentile bootstrap over rounds, with the same resamples wherever as many rounds are drawn from."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from bench.types import Array

SEED = 20260101
RESAMPLES = 2000
MIN_GROUPS = 3


def largest_mean(sums: Array, sizes: Array) -> tuple[float, float] | None:
    """95 % interval of the largest over columns of the mean; groups (g, column) are resampled whole.

    `sums` (g, column) are of the `sizes` (g,) values of each group. None below three groups.
    """
    if len(sizes) < MIN_GROUPS:
        return None
    drawn = _drawn(len(sizes))
    worst = (drawn @ sums / (drawn @ sizes)[:, None]).max(axis=1)
    low, high = np.quantile(worst, [0.025, 0.975])
    return float(low), float(high)


@lru_cache(maxsize=16)
def _drawn(groups: int) -> Array:
    """How often each of so many groups is in each bootstrap sample, (RESAMPLES, groups)."""
    picks = np.random.default_rng(SEED).integers(groups, size=(RESAMPLES, groups))
    return np.stack([(picks == g).sum(axis=1) for g in range(groups)], axis=1).astype(np.float64)

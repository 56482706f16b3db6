"""How often intervals hold the truth, and what their width is worth."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.types import Array

Z95 = 1.959963984540054


class Coverage(NamedTuple):
    """Share of data sets whose central interval of `level` holds the truth, with its 95 % Wilson interval."""

    level: float
    share: float
    total: int
    low: float
    high: float

    @property
    def off(self) -> bool:
        """Whether the Wilson interval misses the level."""
        return not self.low <= self.level <= self.high


def coverage(level: float, inside: npt.ArrayLike) -> Coverage:
    """From indicators (data set,), or shares of a data set's quantities, which are then taken as fully dependent."""
    total = len(np.asarray(inside))
    share = float(np.mean(np.asarray(inside, dtype=float))) if total else math.nan
    return Coverage(level, share, total, *wilson(share * total, total))


def wilson(hits: float, total: int, z: float = Z95) -> tuple[float, float]:
    """Score interval of a proportion (Wilson 1927); (0, 1) without trials."""
    if not total:
        return 0.0, 1.0
    p, shrink = hits / total, 1.0 + z * z / total
    centre = (p + z * z / (2 * total)) / shrink
    half = z / shrink * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return max(0.0, centre - half), min(1.0, centre + half)


def interval_score(low: Array, high: Array, truth: Array, level: float | Array) -> Array:
    """Width plus 2 / (1 − level) per unit by which the truth is outside (Gneiting & Raftery 2007); less is better."""
    miss = np.maximum(low - truth, 0.0) + np.maximum(truth - high, 0.0)
    return np.asarray(high - low + 2.0 / (1.0 - level) * miss)

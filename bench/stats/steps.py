"""Steps of the level in a short, noisy series: exact segmentation, and how many steps by permutation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from bench.types import Array

LEVEL = 0.05
"""Probability that a series without a step shows one."""
SHORTEST = 2
"""Runs in a segment at least: one run alone is an outlier until another agrees."""
MOST = 8
"""Steps looked for."""
BATCHES = (99, 900)
GIVE_UP = 0.2
"""A p-value above this after the first batch is not made more precise: no step would be found."""
SEED = 20260101


@dataclass(frozen=True, slots=True)
class Step:
    """From `index` on the mean of the segment is `after`; until then it was `before`."""

    index: int
    before: float
    after: float


def detect(y: Array, *, level: float = LEVEL) -> list[Step]:
    """The steps in y (n,), in order; n values in the order of time, on the scale on which a step adds.

    For each number of steps the segmentation with the least sum of squares is found exactly. Steps are added while
    their gain is larger than in permutations of the values within the present segments, which keep every segment's
    level and lose any order in it; each time one and two more are tried, at half the level each, since a rise and a
    fall hide each other from a search for one. So noise without a step, whatever its distribution, shows one with
    probability `level` at most; runs that depend on each other or drift are not covered by that.
    """
    y = np.asarray(y, dtype=np.float64)
    most = min(MOST, len(y) // SHORTEST - 1)
    if len(y) < fewest(level):
        return []
    k = 0
    while k < most:
        p = _p_values(y, k, min(k + 2, most))
        if p[0] <= level / 2:
            k += 1
        elif len(p) > 1 and p[1] <= level / 2:
            k += 2
        else:
            break
    edges = [0, *segmentation(y, k), len(y)]
    means = [float(y[a:b].mean()) for a, b in pairwise(edges)]
    return [Step(edges[i], means[i - 1], means[i]) for i in range(1, len(edges) - 1)]


def fewest(level: float = LEVEL) -> int:
    """The least number of values in which one step, however large, can be shown at this level; less is not looked at.

    A step in the middle of n is as extreme in 2 of the C(n, n/2) orders that tell its two halves apart.
    """
    n = 2 * SHORTEST
    while 2 / math.comb(n, n // 2) > level / 2:
        n += 1
    return n


def segmentation(y: Array, steps: int) -> list[int]:
    """Where the segments begin, but the first, that leave the least sum of squares with so many steps."""
    _, come_from = _least(y[None, :], steps)
    cuts, end = [], len(y)
    for k in range(steps, 0, -1):
        end = int(come_from[k][0, end])
        cuts.append(end)
    return cuts[::-1]


def _p_values(y: Array, k: int, most: int) -> list[float]:
    """Of a gain as large as that of k + 1, … `most` steps over k, among permutations within the segments of k."""
    floor = 1e-12 * float(((y - y.mean()) ** 2).sum())
    observed = _left(y[None, :], k, most, floor)[:, 0]
    if (observed >= 1.0).all():
        return [1.0] * len(observed)
    edges = [0, *segmentation(y, k), len(y)]
    rng = np.random.default_rng([SEED, len(y), k])
    as_extreme, drawn = np.zeros(len(observed)), 0
    for batch in BATCHES:
        shuffled = np.concatenate(
            [rng.permuted(np.tile(y[a:b], (batch, 1)), axis=1) for a, b in pairwise(edges)], axis=1
        )
        as_extreme += (_left(shuffled, k, most, floor) <= observed[:, None] * (1 + 1e-9) + 1e-12).sum(axis=1)
        drawn += batch
        if ((as_extreme + 1) / (drawn + 1)).min() > GIVE_UP:
            break
    return [float(p) for p in (as_extreme + 1) / (drawn + 1)]


def _left(y: Array, k: int, most: int, floor: float) -> Array:
    """Share of the sum of squares of k steps that k + 1, … `most` leave, (most − k, m); 1 where k leaves none."""
    least = np.stack(_least(y, most)[0])
    least[least <= floor] = 0.0
    base = least[k]
    return np.where(base > 0.0, least[k + 1 :] / np.where(base > 0.0, base, 1.0), 1.0)


def _least(y: Array, steps: int) -> tuple[list[Array], list[npt.NDArray[np.intp]]]:
    """Least sum of squares of each row of y (m, n) with 0, 1, … `steps` steps, and where each last segment begins.

    Dynamic programming over the end of the last segment (Bellman, Communications of the ACM 4, 1961).
    """
    m, n = y.shape
    y = y - y.mean(axis=1, keepdims=True)
    total, squares = (np.concatenate([np.zeros((m, 1)), np.cumsum(v, axis=1)], axis=1) for v in (y, y**2))
    size = np.arange(n + 1)
    best = np.full((m, n + 1), np.inf)
    best[:, SHORTEST:] = squares[:, SHORTEST:] - total[:, SHORTEST:] ** 2 / size[SHORTEST:]
    least, come_from = [np.maximum(best[:, n], 0.0)], [np.zeros((m, n + 1), dtype=np.intp)]
    for k in range(1, steps + 1):
        longer, began = np.full((m, n + 1), np.inf), np.zeros((m, n + 1), dtype=np.intp)
        for end in range((k + 1) * SHORTEST, n + 1):
            i = np.arange(k * SHORTEST, end - SHORTEST + 1)
            inside = total[:, [end]] - total[:, i]
            cost = best[:, i] + squares[:, [end]] - squares[:, i] - inside**2 / (end - i)
            at = cost.argmin(axis=1)
            longer[:, end], began[:, end] = cost[np.arange(m), at], i[at]
        best = longer
        least.append(np.maximum(best[:, n], 0.0))
        come_from.append(began)
    return least, come_from

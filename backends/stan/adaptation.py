"""The schedule of Stan's warmup, and the gradients of its searches for a step size, which no statistic counts.

A search begins each chain and follows each update of the metric. It takes two gradients for every step size that it
tries: where it began is the last one that dual averaging learned, where it ended is that of the next transition.
"""

from __future__ import annotations

import math
from typing import Any

from bench.types import Array

SCHEDULE: dict[str, Any] = {
    **{"gamma": 0.05, "kappa": 0.75, "t0": 10.0},
    **{"init_buffer": 75, "term_buffer": 50, "window": 25},
}
"""Stan's defaults: of dual averaging (Hoffman & Gelman 2014), and of the windows in which the metric is estimated."""


def updates(warmup: int) -> list[int]:
    """The transitions after which the metric is updated; none where the three stages do not fit into the warmup.

    Stan then says that it shortens them, but its counter of the next window stays where no transition comes.
    """
    window, last = SCHEDULE["window"], warmup - SCHEDULE["term_buffer"] - 1
    if SCHEDULE["init_buffer"] + window + SCHEDULE["term_buffer"] > warmup:
        return []
    ends = [SCHEDULE["init_buffer"] + window - 1]
    while ends[-1] < last:
        window *= 2
        end = ends[-1] + window
        ends.append(last if end == last or end + 2 * window > last else end)
    return ends


def search_gradients(stepsize: Array, accept: Array, warmup: int, delta: float) -> int:
    """Gradients of all chains' searches, and that of each start; `stepsize` and `accept` are (chain, transition)."""
    total = 0
    for steps, rates in zip(stepsize, accept, strict=True):
        total += 1 + _search(1.0, steps[0])
        began, centre = 0, math.log(10.0)
        for end in updates(warmup):
            learned = _learned(centre, rates[began : end + 1], delta)
            total += _search(learned, steps[end + 1])
            began, centre = end + 1, math.log(10.0 * steps[end + 1])
    return total


def _search(began: float, ended: float) -> int:
    """The first trial says whether to double or to halve; each one after it, and the last fails, is one more."""
    return 2 * (abs(round(math.log2(ended / began))) + 2)


def _learned(centre: float, rates: Array, delta: float) -> float:
    """The step size of dual averaging after these transitions."""
    mean = 0.0
    for count, rate in enumerate(rates, 1):
        weight = 1.0 / (count + SCHEDULE["t0"])
        mean += weight * (delta - min(rate, 1.0) - mean)
    return math.exp(centre - mean * math.sqrt(len(rates)) / SCHEDULE["gamma"])

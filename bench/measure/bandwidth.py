"""How fast this machine reads memory: what bounds a gradient that must pass over the data once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

CACHE = Path("/sys/devices/system/cpu/cpu0/cache/index3/size")
"""Where Linux tells the size of the last cache, such as `32768K`."""
LEAST, MOST = 64 * 2**20, 2**30
"""Bytes that are read; four times the last cache in between, so that they come from memory."""
TRIES = 5


@cache
def bandwidth(threads: int) -> float:
    """Bytes per second in which so many threads read memory, each a part of one array: the best of some tries.

    It takes some 50 ms on a core that reads 25 GB/s (STREAM, McCalpin 1995, writes as well), and as long where the
    system gives these pages for the first time.
    """
    import numpy as np

    numbers = np.empty(min(MOST, max(LEAST, 4 * _last_cache())) // 8)
    parts, best = np.array_split(numbers, threads), float("inf")
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda part: part.fill(1.0), parts))
        for _ in range(TRIES):
            began = time.perf_counter()
            list(pool.map(np.add.reduce, parts))  # without Python's lock
            best = min(best, time.perf_counter() - began)
    return float(numbers.nbytes / best)


def _last_cache() -> int:
    try:
        text = CACHE.read_text(encoding="ascii").strip()
        return int(text.rstrip("K")) * 1024
    except (OSError, ValueError):
        return 0

"""Rows of a data set in random order, for methods that take a mini-batch at a time."""

from __future__ import annotations

import numpy as np

from bench import chunks
from bench.types import Array, Arrays, Dataset, Unsupported


def check(data: Dataset, batch_size: int) -> None:
    """Unsupported for a model that is no regression, and for more rows in a batch than the data have."""
    if data.source or "x" not in data.arrays or not 0 < batch_size <= len(data.arrays["y"]):
        raise Unsupported(f"batch_size={batch_size}: only a regression of as many rows has such batches")


class Stream:
    """Pass after pass over the rows of `data`, each row once in each.

    Rows in memory are in a new random order in every pass. Of rows that lie in a file the chunks are, and the rows of a
    chunk, so that a pass reads the file once and one chunk is held; without `shuffle` all are as they lie there.
    """

    def __init__(self, data: Dataset, seed: int, *, shuffle: bool = True) -> None:
        self._data, self._rng = data, np.random.default_rng(seed) if shuffle else None
        self._chunks = self._pass()
        self._chunk: Arrays = {}
        self._order = np.arange(0)

    def _pass(self) -> chunks.Pieces:
        return chunks.each(self._data.arrays, self._data.chunk_rows, self._rng)

    def take(self, rows: int) -> dict[str, Array]:
        """The next `rows` rows of every array, copies."""
        parts: list[dict[str, Array]] = []
        while rows:
            if not len(self._order):
                self._next()
            chosen, self._order = np.split(self._order, [rows])
            parts.append({name: array[chosen] for name, array in self._chunk.items()})
            rows -= len(chosen)
        return parts[0] if len(parts) == 1 else {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}

    def _next(self) -> None:
        """The next chunk, of this pass or of a new one."""
        self._chunk = {}  # its memory is free before the next is read
        chunk = next(self._chunks, None)
        if chunk is None:
            self._chunks = self._pass()
            chunk = next(self._chunks)
        self._chunk, n = chunk, len(chunk["y"])
        self._order = np.arange(n) if self._rng is None else self._rng.permutation(n)

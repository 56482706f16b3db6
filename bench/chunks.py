"""Data sets larger than memory: their arrays lie in unnamed files and are read a chunk of rows at a time.

Such an array is a read-only memory map, so whoever needs all of it at once can take it as any other, and then has it in
memory. Whoever reads it by `each` holds one chunk: pages that were looked at are given back.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from bench.errors import UsageError
from bench.types import Array, Arrays

Pieces = Iterator[dict[str, Array]]
PART = 10_000
"""Rows looked at together where nobody says how many."""


def written(pieces: Iterable[Array]) -> Array:
    """The rows of all pieces, float64, one below the other in a file: a read-only array (n, …) of one row or more.

    The file lies in the folder that TMPDIR names, else in /var/tmp, and has no name: its room is free again when the
    array is gone, however the process ends. UsageError where it cannot be written.
    """
    folder, rows, shape = _folder(), 0, ()
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            for piece in pieces:
                file.write(np.ascontiguousarray(piece, np.float64).data)
                rows, shape = rows + len(piece), piece.shape[1:]
            file.flush()
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise UsageError(
            f"{folder} does not take the rows of a data set that is read in chunks: {error.strerror} after {rows} "
            "rows; make room there, or let TMPDIR name another folder"
        ) from error
    return np.ndarray((rows, *shape), np.float64, buffer=mapping)


def each(arrays: Arrays, rows: int, order: np.random.Generator | None = None) -> Pieces:
    """All arrays, which have as many rows, `rows` of them at a time as copies; where that is 0, the arrays themselves.

    From the first to the last, or chunk by chunk in an order that is drawn from `order`.
    """
    if not rows:
        yield dict(arrays)
        return
    starts = np.arange(0, len(next(iter(arrays.values()))), rows)
    for at in starts if order is None else order.permutation(starts):
        part = {name: np.array(array[at : at + rows]) for name, array in arrays.items()}
        forget(*arrays.values())
        yield part


class Moments:
    """Mean and sd of every column, of rows that are seen a part at a time (Chan, Golub & LeVeque 1983)."""

    def __init__(self) -> None:
        self.n, self.mean, self._squares = 0, np.zeros(()), np.zeros(())

    def add(self, rows: Array) -> None:
        """Take in rows (n, …) of one or more."""
        n, mean = len(rows), rows.mean(axis=0)
        shift, share = mean - self.mean, n / (self.n + n)
        self._squares = self._squares + np.square(rows - mean).sum(axis=0) + np.square(shift) * self.n * share
        self.mean, self.n = self.mean + shift * share, self.n + n

    @property
    def sd(self) -> Array:
        """Not Bessel's."""
        return np.sqrt(self._squares / self.n)


def moments(array: Array) -> tuple[Array, Array]:
    """Mean and sd of every column, of an array that lies in a file without holding more than a part of it."""
    if not in_file(array):
        return array.mean(axis=0), array.std(axis=0)
    seen = Moments()
    for part in each({"rows": array}, PART):
        seen.add(part["rows"])
    return seen.mean, seen.sd


def forget(*arrays: Array) -> None:
    """Give back the memory of what was read of arrays that lie in a file; nothing is lost."""
    for array in arrays:
        base: object = array.base
        if isinstance(base, mmap.mmap):
            base.madvise(mmap.MADV_DONTNEED)


def in_file(array: Array) -> bool:
    """Whether an array lies in a file."""
    base: object = array.base
    return isinstance(base, mmap.mmap)


def _folder() -> Path:
    """Where files of data are written: not in /tmp, which is memory on many machines, unless TMPDIR says so."""
    usual = Path("/var/tmp")  # noqa: S108 -- the file has no name there
    return usual if "TMPDIR" not in os.environ and os.access(usual, os.W_OK) else Path(tempfile.gettempdir())

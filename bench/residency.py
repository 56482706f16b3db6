"""Which pages of mapped files a process has in memory: a forked child has those of its server only as it touches them.

A fresh interpreter maps the files that its imports touch; a fork shares them without having them in its page tables. So
the peak of a child that was forked lacks what its server had and it has not touched since, which is counted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

PAGE = 4096
PRESENT = np.uint64(1 << 63)
SELF = Path("/proc/self")


class Mapped(NamedTuple):
    """A range of addresses that maps a file, and which of its pages are in memory."""

    start: int
    present: npt.NDArray[np.bool_]


def mapped_files() -> list[Mapped]:
    """This process's file mappings; none where the system does not tell (Linux's /proc/self/pagemap does)."""
    found = []
    try:
        with FileIO(SELF / "pagemap") as pagemap:
            for line in (SELF / "maps").read_text().splitlines():
                addresses, _, _, _, inode, *_ = line.split()
                start, end = (int(address, 16) for address in addresses.split("-"))
                if inode != "0":
                    found.append(Mapped(start, _present(pagemap, start, end)))
    except (OSError, ValueError):
        return []
    return found


def untouched(server: Sequence[Mapped]) -> int:
    """Bytes of those pages that this process, a fork of the one they were read in, does not have."""
    missing = 0
    try:
        with FileIO(SELF / "pagemap") as pagemap:
            for start, present in server:
                mine = _present(pagemap, start, start + len(present) * PAGE)
                missing += int(np.count_nonzero(present & ~mine))
    except (OSError, ValueError):
        return 0
    return missing * PAGE


def _present(pagemap: FileIO, start: int, end: int) -> npt.NDArray[np.bool_]:
    pages = (end - start) // PAGE
    pagemap.seek(start // PAGE * 8)
    entries = np.frombuffer(pagemap.read(pages * 8), np.uint64)
    if len(entries) != pages:
        raise ValueError(f"{len(entries)} pages of {pages} at {start:x}")
    return np.asarray((entries & PRESENT) != 0)

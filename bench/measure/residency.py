"""Peak memory, and the file pages that a forked child lacks of its server's.

A fresh interpreter maps the files that its imports touch; a fork shares them without having them in its page tables. So
the peak of a child that was forked lacks what its server had and it has not touched since, which is counted here.
"""

from __future__ import annotations

import resource
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
    """Consecutive pages of mapped files, the first's address, and which of them are in memory."""

    start: int
    present: npt.NDArray[np.bool_]


def peak_bytes() -> int:
    """This process's largest resident memory so far, that of the program it was before its last exec left out.

    getrusage(2) counts that in: a child of a large process would start with its parent's.
    """
    try:
        fields = dict(
            line.split(":", 1) for line in (SELF / "status").read_text(encoding="utf-8", errors="replace").splitlines()
        )
        return int(fields["VmHWM"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def mapped_files() -> list[Mapped]:
    """This process's file mappings; none where the system does not tell (Linux's /proc/self/pagemap does).

    Those that follow each other, as the sections of a library do, are one: each is a read.
    """
    ranges: list[list[int]] = []
    try:
        for line in (SELF / "maps").read_text(encoding="utf-8", errors="replace").splitlines():
            addresses, _, _, _, inode, *_ = line.split()
            start, end = (int(address, 16) for address in addresses.split("-"))
            if inode == "0":
                continue
            if ranges and ranges[-1][1] == start:
                ranges[-1][1] = end
            else:
                ranges.append([start, end])
        with FileIO(SELF / "pagemap") as pagemap:
            found = [Mapped(start, _present(pagemap, start, end)) for start, end in ranges]
    except (OSError, ValueError):
        return []
    return [some for some in found if some.present.any()]


def untouched(server: Sequence[Mapped]) -> int:
    """Bytes of those pages that this process, a fork of the one they were read in, does not have."""
    missing = 0
    try:
        with FileIO(SELF / "pagemap") as pagemap:
            for start, present in server:
                own = _present(pagemap, start, start + len(present) * PAGE)
                missing += int(np.count_nonzero(present & ~own))
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

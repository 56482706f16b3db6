"""Files of a run, which may be a stranger's: looked at before they are opened, and no larger than their kind can be."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

MIB = 2**20
MOST: Mapping[str, int] = {
    "record.json": 4 * MIB,
    ".json": 256 * MIB,
    ".jsonl": 256 * MIB,
    ".npz": 16_384 * MIB,
    ".nc": 16_384 * MIB,
    ".parquet": 4_096 * MIB,
    ".csv": 16_384 * MIB,
}
"""Bytes at most of a file, by its name or else by its ending; `.json` is a baseline, and whatever else."""
MOST_ROWS = 100_000_000
"""Rows of a table at most: those of a Parquet file take almost no room where they are alike."""


def plain(file: Path) -> Path:
    """The file itself; OSError where there is none, ValueError where it is a link, a device or a pipe, or too large."""
    facts = os.lstat(file)
    if stat.S_ISLNK(facts.st_mode):
        raise ValueError("a symbolic link, which is not followed")
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError("not a plain file")
    most = MOST.get(file.name) or MOST.get(file.suffix, MOST[".json"])
    if facts.st_size > most:
        raise ValueError(f"{facts.st_size} bytes; such a file has at most {most}")
    return file


def opened(file: Path) -> BinaryIO:
    """A plain file, open for reading; errors as `plain`."""
    return plain(file).open("rb")


def content(file: Path) -> bytes:
    """What is in a plain file; errors as `plain`."""
    with opened(file) as stream:
        return stream.read()

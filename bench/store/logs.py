"""What children print: of a log only the end is kept, on disk as in memory, however much is written."""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

from bench.errors import VALUE_LIMIT, printable

LOG_LIMIT = 65_536
"""Bytes of a child's output kept per fit, from its end."""
ROOM = 2**24
"""Bytes that a log may take on disk before all but its end are given back."""
_PUNCH_HOLE = 0x01 | 0x02  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE of fallocate(2)


def end(log: Path) -> bytes:
    """The last bytes of a log, at most LOG_LIMIT; none where there is no file."""
    try:
        with open(os.open(log, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - LOG_LIMIT))
            return stream.read(LOG_LIMIT)
    except OSError:  # not there, or whatever its writer has put in its place
        return b""


def tail(log: bytes) -> str:
    """The last 4 KiB of a log, as text."""
    return log[-4096:].decode(errors="replace")


def last_words(log: bytes) -> str:
    """`; its last words: …`: the last line before the interpreter's own account of a crash; empty without one."""
    text = tail(log).partition("Fatal Python error")[0]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"; its last words: {printable(lines[-1], VALUE_LIMIT)}" if lines else ""


def trim(log: Path) -> None:
    """Give back the disk space of a log that takes more than ROOM, but for its end; whoever writes it notices nothing.

    It must be open for appending. Where the file system cannot punch holes, the log starts afresh.
    """
    with contextlib.suppress(OSError):
        if log.lstat().st_blocks * 512 <= ROOM:
            return
        descriptor = os.open(log, os.O_RDWR | os.O_NOFOLLOW)
        facts = os.fstat(descriptor)
        try:
            libc, size = ctypes.CDLL(None), ctypes.c_longlong
            if libc.fallocate(descriptor, _PUNCH_HOLE, size(0), size(max(1, facts.st_size - LOG_LIMIT))) != 0:
                os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

"""A file of JSON lines that grows by whole lines and survives a kill at any moment."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.disk.durable import sync
from bench.store.files import content, opened


class Ledger:
    """One line per entry, synced when written; a last line that a dying process left torn is not read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[dict[str, Any]]:
        """All whole entries, in the order written; none where there is no file. ValueError for a damaged line."""
        return self.after(0)[0]

    def after(self, offset: int) -> tuple[list[dict[str, Any]], int]:
        """Whole entries from a byte offset on, and the offset where they end; ValueError for a damaged line."""
        if not self.path.is_file():
            return [], offset
        with opened(self.path) as stream:
            stream.seek(offset)
            *lines, torn = stream.read().split(b"\n")
            return [json.loads(line) for line in lines], stream.tell() - len(torn)

    def lines(self) -> Iterator[tuple[int, dict[str, Any] | None]]:
        """Every whole line: its number, from 1, and its entry, None where it holds no JSON object.

        OSError or ValueError where the file cannot be read.
        """
        lines = content(self.path).split(b"\n")[:-1] if os.path.lexists(self.path) else []
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                entry = None
            yield number, entry if isinstance(entry, dict) else None

    def size(self) -> int:
        """Bytes written so far."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one entry and sync it; strict JSON. Where that fails, nothing of it is left."""
        line = json.dumps(entry, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        fresh = not self.path.exists()
        with self.path.open("ab", buffering=0) as stream:
            before = os.fstat(stream.fileno()).st_size
            try:
                rest = memoryview(line)
                while rest:
                    rest = rest[stream.write(rest) :]
                os.fsync(stream.fileno())
            except BaseException:
                with contextlib.suppress(OSError):
                    os.truncate(self.path, before)
                raise
        if fresh:
            sync(self.path.parent)

    def mend(self) -> None:
        """Cut off a torn last line, so that the next entry starts a line of its own."""
        if self.path.is_file():
            content = self.path.read_bytes()
            if not content.endswith(b"\n"):
                os.truncate(self.path, content.rfind(b"\n") + 1)

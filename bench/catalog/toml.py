"""TOML files of users: read whole, or refused with a sentence."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from bench.errors import UsageError

LARGEST = 2**20
"""Bytes; data belong into a data file."""
DEEPEST = 20
"""Levels of tables and lists."""
DOTTED = re.compile(r"""(?<![\w.'"-])(?:["']?+[\w-]++["']?+[ \t]*+\.[ \t]*+){200}""")
"""A key of so many parts: the time of the parser grows by the square of their number, and may be minutes."""


def read(file: Path, name: str = "") -> dict[str, Any]:
    """The table of a TOML file; UsageError names it (as `name`) and says why it cannot be read."""
    name = name or file.name
    try:
        if not file.is_file() and file.exists():
            raise UsageError(f"{name}: not readable: not a file")
        with file.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{name}: not readable: {getattr(error, 'strerror', None) or error}") from None
    if len(raw) > LARGEST:
        raise UsageError(f"{name}: not readable: more than {LARGEST} bytes; numbers that many belong into a data file")
    return parse(raw, name)


def parse(raw: bytes | str, name: str) -> dict[str, Any]:
    """The table of TOML text, as `read`."""
    try:
        text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
        if DOTTED.search(text) or _deeper_than(DEEPEST, table := tomllib.loads(text)):
            raise RecursionError
        return table
    except RecursionError:
        raise UsageError(f"{name}: not a TOML file: nested more than {DEEPEST} levels deep") from None
    except ValueError as error:  # also text that is no UTF-8, and numbers of thousands of digits
        raise UsageError(f"{name}: not a TOML file: {error}") from None


def listed(table: Any, *keys: str) -> Any:
    """The table with those of the keys that hold one text holding a list of it, as users may write it."""
    if not isinstance(table, dict):
        return table
    return {key: [value] if key in keys and isinstance(value, str) else value for key, value in table.items()}


def _deeper_than(levels: int, tree: Any) -> bool:
    """Whether tables and lists are nested so deeply; no recursion, for dotted keys nest without limit."""
    row: list[Any] = [tree]
    for _ in range(levels + 1):
        row = [v for t in row if isinstance(t, dict | list) for v in (t.values() if isinstance(t, dict) else t)]
        if not row:
            return False
    return any(isinstance(v, dict | list) for v in row)

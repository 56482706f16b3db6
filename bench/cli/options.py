"""Reading of option values that several verbs share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bench.catalog import toml
from bench.errors import UsageError, shown, unknown

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
LEAST, MOST = 2.0**20, 2.0**60


def size(text: str) -> int:
    """Bytes of `500M`, `4G`, `1.5GiB`, `1073741824`; UsageError."""
    match = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    found = float(match[1]) * UNITS[match[2].upper()] if match else 0.0
    if not LEAST <= found <= MOST:
        raise UsageError(f"--memory {shown(text)} is not allowed; a size such as 500M or 4G, at least 1M")
    return int(found)


def word(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """A value out of a few; UsageError."""
    if value not in allowed:
        raise UsageError(f"--{name} {shown(value)} is not allowed; one of {', '.join(allowed)}")
    return value


def whole(name: str, value: int | None, least: int) -> int | None:
    """A whole number of at least `least` and at most a million (a seed: 2⁶³), or None; UsageError."""
    if value is not None and value < least:
        raise UsageError(f"--{name} {shown(value)} is not allowed; at least {least}")
    most = 2**63 - 1 if name == "seed" else 10**6
    if value is not None and value > most:
        raise UsageError(f"--{name} {shown(value)} is not allowed; at most {most}")
    return value


def config(path: Path | None, allowed: dict[str, type]) -> dict[str, Any]:
    """A TOML file of long option names; UsageError names file, key, value and what is allowed."""
    if path is None:
        return {}
    table = toml.read(path, f"--config {path}")
    for key, value in table.items():
        if key not in allowed:
            raise UsageError(f"{path}: {unknown('key', key, allowed)}")
        wanted = allowed[key]
        if wanted is list and isinstance(value, str):
            table[key] = value = [value]
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            # no larger one is allowed anywhere, and Python cannot make a float of every integer
            table[key] = value = float(min(max(value, -(10**300)), 10**300))
        listed = wanted is not list or (isinstance(value, list) and all(isinstance(v, str) for v in value))
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool) or not listed:
            raise UsageError(f"{path}: {key} = {shown(value)} is not allowed; {wanted.__name__}")
    return table

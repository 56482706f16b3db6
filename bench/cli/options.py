"""Reading of option values that several verbs share."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from bench.errors import UsageError, unknown

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def size(text: str) -> int:
    """Bytes of `500M`, `4G`, `1.5GiB`, `1073741824`; UsageError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if not match or float(match[1]) == 0:
        raise UsageError(f"--memory {text!r} is not allowed; a size such as 500M or 4G")
    return int(float(match[1]) * UNITS[match[2].upper()])


def word(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """A value out of a few; UsageError."""
    if value not in allowed:
        raise UsageError(f"--{name} {value!r} is not allowed; one of {', '.join(allowed)}")
    return value


def whole(name: str, value: int | None, least: int) -> int | None:
    """A whole number of at least `least`, or None; UsageError."""
    if value is not None and value < least:
        raise UsageError(f"--{name} {value} is not allowed; at least {least}")
    return value


def config(path: Path | None, allowed: dict[str, type]) -> dict[str, Any]:
    """A TOML file of long option names; UsageError names file, key, value and what is allowed."""
    if path is None:
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {path}: not readable: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"--config {path}: not a TOML file: {error}") from None
    for key, value in table.items():
        if key not in allowed:
            raise UsageError(f"{path}: {unknown('key', key, allowed)}")
        wanted = allowed[key]
        if wanted is list and isinstance(value, str):
            table[key] = value = [value]
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            table[key] = value = float(value)
        listed = wanted is not list or (isinstance(value, list) and all(isinstance(v, str) for v in value))
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool) or not listed:
            raise UsageError(f"{path}: {key} = {value!r} is not allowed; {wanted.__name__}")
    return table

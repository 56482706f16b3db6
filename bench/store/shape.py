"""Whether a value that was read from JSON is of a type, written as an annotation: `dict[str, list[float | None]]`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from bench.errors import shown

INT64 = 2**63


def is_a(value: Any, type_: str) -> bool:
    """Whether it is; numbers must fit into a table's columns, and text into a file."""
    outer, _, inner = type_.partition("[")
    if " | " in outer:
        first, _, rest = type_.partition(" | ")
        return is_a(value, first) or is_a(value, rest)
    match outer:
        case "Any":
            return True
        case "None":
            return value is None
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool) and -INT64 <= value < INT64
        case "float":
            largest = sys.float_info.max
            return isinstance(value, int | float) and not isinstance(value, bool) and -largest <= value <= largest
        case "str":
            return isinstance(value, str) and _encodable(value)
        case "list":
            return isinstance(value, list) and all(is_a(v, inner[:-1]) for v in value)
        case "dict":
            of = inner[:-1].removeprefix("str, ")
            return isinstance(value, dict) and all(is_a(k, "str") and is_a(v, of) for k, v in value.items())
    raise ValueError(f"no such type: {type_}")


def wrong(table: Mapping[str, Any], types: Mapping[str, str]) -> str:
    """The first of the keys that is there with a value of another type, as a sentence; empty where there is none."""
    for key, type_ in types.items():
        if key in table and not is_a(table[key], type_):
            return f"{key} = {shown(table[key])} is no {type_}"
    return ""


def _encodable(text: str) -> bool:
    """Whether it has no halves of characters, which no file takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

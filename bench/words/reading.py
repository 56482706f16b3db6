"""Values of JSON and TOML files as types, checked by msgspec; what is wrong is said in the words of this house."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from bench.errors import UsageError, shown, unknown

T = TypeVar("T")
NAMES = {"array": "list", "object": "table", "null": "none"}
"""Types of JSON by the names that users of TOML know."""


def as_type(value: Any, type_: type[T], where: str) -> T:
    """`value`, as a JSON or TOML parser gives it, as a type; UsageError names `where`, key, value and what is allowed.

    What is allowed of a field is its `msgspec.Meta(description=…)` where it has one.
    """
    import msgspec  # here: a command that reads no such file need not wait for it

    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {_sentence(str(error), value, type_)}") from None


def _sentence(message: str, value: Any, type_: type) -> str:
    """A complaint of msgspec, as "Expected `int`, got `str` - at `$.cells[0].reps`", in words, with the value."""
    what, _, place = message.partition(" - at `")
    path = re.findall(r"\w+|\.\.\.", place.removeprefix("key in "))
    name = place.removeprefix("key in ").strip("`$").lstrip(".")
    found, fields, allowed = _follow(value, type_, path)
    kind, _, field = what.rstrip("`").partition(" field `")
    if kind == "Object missing required":
        return f"{name or 'it'} has no {field}"
    if kind == "Object contains unknown":
        return f"{f'{name}: ' if name else ''}{unknown('key', field, fields)}"
    expected = what.removeprefix("Expected ").partition(", got")[0]
    allowed = allowed or re.sub(r"`(.*?)`", lambda m: " or ".join(NAMES.get(t, t) for t in m[1].split(" | ")), expected)
    return f"{name or 'it'}{'' if '...' in path else f' = {shown(found)}'} is not allowed; {allowed}"


def _follow(value: Any, type_: type, path: list[str]) -> tuple[Any, list[str], str]:
    """The value at the end of a path, the fields that its type has, and what is said to be allowed there."""
    import msgspec.inspect as kinds

    kind: Any = kinds.type_info(type_)
    allowed = ""
    for step in path:
        kind, _ = _plain(kind)
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list | tuple) and step.isdigit():
            value = value[int(step)]
        fields = {f.encode_name: f.type for f in getattr(kind, "fields", ())}
        kind = fields.get(step) or getattr(kind, "item_type", None) or getattr(kind, "value_type", None)
        kind, words = _plain(kind)
        allowed = words or ("" if step in fields else allowed)
    return value, [f.encode_name for f in getattr(_plain(kind)[0], "fields", ())], allowed


def _plain(kind: Any) -> tuple[Any, str]:
    """A type without its annotations, and their description."""
    words = ""
    while hasattr(kind, "extra_json_schema"):
        words = words or (kind.extra_json_schema or {}).get("description", "")
        kind = kind.type
    return kind, words

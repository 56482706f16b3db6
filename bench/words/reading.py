"""Values of JSON and TOML as types, checked by msgspec; what is wrong is said in the words of this house."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from bench.errors import UsageError, shown, unknown

T = TypeVar("T")
WORDS = {"str": "a text", "float": "a number", "bool": "true or false", "array": "a list", "object": "a table"}
"""Types as a message names them; the others go by their own names."""


def json_value(raw: bytes, *, whole: bool = False) -> Any:
    """The value of strict JSON; ValueError or RecursionError for what is none, or holds what no file can hold again.

    That is text of half characters and numbers that are not finite; where `whole` is asked for, so are integers
    beyond 64 bits, which no column of a table holds.
    """
    value = json.loads(raw, parse_constant=_number, parse_float=_number, parse_int=_int64 if whole else None)
    if rb"\ud" in raw.lower():
        json.dumps(value, ensure_ascii=False).encode()
    return value


def as_type(value: Any, type_: type[T], where: str = "") -> T:
    """`value`, as a JSON or TOML parser gives it, as a type; UsageError names `where`, key, value and what is allowed.

    What is allowed of a field is its `msgspec.Meta(description=…)` where it has one.
    """
    import msgspec  # here: a command that reads no such file need not wait for it

    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        sentence = _sentence(str(error), value, type_)
    raise UsageError(f"{where}: {sentence}" if where else sentence)


def _sentence(message: str, value: Any, type_: type) -> str:
    """A complaint of msgspec, as "Expected `int`, got `str` - at `$.cells[0].reps`", in words, with the value."""
    what, _, place = message.partition(" - at `")
    steps = re.findall(r"\w+|\[.*?\]", place.removeprefix("key in ").strip("`$"))
    name, actual, allowed, fields = _follow(value, type_, steps)
    kind, _, field = what.rstrip("`").partition(" field `")
    if kind == "Object missing required":
        return f"{name or 'it'} has no {field}"
    if kind == "Object contains unknown":
        return f"{f'{name}: ' if name else ''}{unknown('key', field, fields)}"
    expected = what.removeprefix("Expected ").partition(", got")[0].replace(" | null", "")
    allowed = allowed or re.sub(r"`(.*?)`", lambda m: " or ".join(WORDS.get(t, t) for t in m[1].split(" | ")), expected)
    return f"{name or 'it'}{'' if '[...]' in name else f' = {shown(actual)}'} is not allowed; {allowed}"


def _follow(value: Any, type_: type, steps: list[str]) -> tuple[str, Any, str, list[str]]:
    """Name and value at the end of a path, what its description allows, and the fields of its type.

    A value inside one that has a description is not told apart from it.
    """
    import msgspec.inspect as inspect

    kind: Any = inspect.type_info(type_)
    name, allowed = "", ""
    for step in steps:
        if step.startswith("["):
            name += step
            value = value[int(step[1:-1])] if isinstance(value, list | tuple) else None
            kind = getattr(kind, "item_type", None) or getattr(kind, "value_type", None)
        else:
            name += f".{step}" if name else step
            value = value.get(step) if isinstance(value, Mapping) else None
            kind = {f.encode_name: f.type for f in getattr(kind, "fields", ())}.get(step)
        while isinstance(kind, inspect.Metadata | inspect.UnionType):
            if isinstance(kind, inspect.UnionType):  # None and one other type, as far as paths lead into it
                kind = kind.types[0]
            else:
                allowed = allowed or (kind.extra_json_schema or {}).get("description", "")
                kind = kind.type
        if allowed:
            break
    return name, value, allowed, [f.encode_name for f in getattr(kind, "fields", ())]


def _number(text: str) -> float:
    value = float(text)
    if not abs(value) < float("inf"):
        raise ValueError(f"{text} is no finite number")
    return value


def _int64(text: str) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{shown(value)} has more than 64 bits")
    return value

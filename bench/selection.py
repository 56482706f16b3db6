"""What a user writes to choose: `name[k=v,…]`, `framework@version.method`, globs, and list values that sweep."""

from __future__ import annotations

import fnmatch
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from bench.catalog import toml
from bench.catalog.places import unversioned
from bench.errors import UsageError, shown, unknown

_FORM = re.compile(r"(?P<name>[^\[\]]+)(\[(?P<values>.*)\])?", re.DOTALL)
LARGEST = 10_000
"""Characters of a selector at most."""
SWEPT = 100_000
"""Combinations of list values at most."""
NESTED = 50
"""Brackets in a list that is no TOML at most."""
_BARE = re.compile(r"[A-Za-z_][\w.\-/]*")


class Selector(NamedTuple):
    """A name or glob with the values in its brackets."""

    name: str
    values: Mapping[str, Any]

    @property
    def is_glob(self) -> bool:
        """Whether it may match several names."""
        return any(c in self.name for c in "*?")

    @property
    def is_path(self) -> bool:
        """Whether it is the path of a scenario file, or of a folder that holds a model, or a glob of such."""
        return self.name.endswith((".toml", "/"))


def parse(text: str) -> Selector:
    """Read `name[k=v,…]`; values are TOML (`0.1`, `true`, `[1, 2]`, `{normal = [0, 1]}`) or bare words; UsageError."""
    if len(text) > LARGEST:
        raise UsageError(f"cannot read {shown(text)}: {len(text)} characters, {LARGEST} are allowed")
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"cannot read {shown(text)}; write name or name[key=value,key=value]")
    values: dict[str, Any] = {}
    for item in _split(match["values"] or ""):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals or not re.fullmatch(r"[\w.]+", key) or not value:
            raise UsageError(f"cannot read {shown(item)} in {shown(text)}; write key=value")
        if key in values:
            raise UsageError(f"{key} is given twice in {shown(text)}")
        values[key] = _value(value, text)
    return Selector(match["name"].strip(), values)


def expand(selector: Selector, known: Iterable[str], what: str) -> list[str]:
    """Names that a selector matches; UsageError with the nearest names where there is none.

    A backend's may say a version of its framework, `numpyro@0.21.nuts`, and so do the names then.
    """
    names, (wanted, version) = sorted(known), unversioned(selector.name) if what == "backend" else (selector.name, "")
    matches = fnmatch.filter(names, wanted) if selector.is_glob else [n for n in names if n == wanted]
    if not matches:
        raise unknown(what, selector.name, names)
    return [name.replace(".", f"@{version}.", 1) for name in matches] if version else matches


def sweeps(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of the list values, `{n_obs: [10, 20]}` → two dicts; a nested list is one literal list.

    UsageError for more than SWEPT of them, and for an empty list, of which nothing would run.
    """
    lists = [value if isinstance(value, list) else [value] for value in values.values()]
    if empty := [key for key, value in values.items() if value == []]:
        raise UsageError(f"{empty[0]} = [] is not allowed; a sweep needs a value or more")
    if (count := math.prod(map(len, lists))) > SWEPT:
        raise UsageError(f"the sweep over {', '.join(values)} has {count} combinations; at most {SWEPT} are allowed")
    for combination in itertools.product(*lists):
        yield dict(zip(values, combination, strict=True))


def _split(text: str) -> Iterator[str]:
    depth, quote, start = 0, "", 0
    for i, c in enumerate(text):
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'":
            quote = c
        elif c in "[{":
            depth += 1
        elif c in "]}":
            depth -= 1
        elif c == "," and depth == 0:
            yield text[start:i]
            start = i + 1
    if depth or quote:
        raise UsageError(f"cannot read {shown(text)}: a bracket or a quote is not closed")
    if text[start:].strip():
        yield text[start:]


def _value(text: str, selector: str) -> Any:
    if _BARE.fullmatch(text) and text not in {"true", "false"}:
        return text  # also nan and inf, which are never sensible numbers here
    try:
        parsed = toml.parse(f"value = {text}", "value")
        if set(parsed) == {"value"}:
            return parsed["value"]
    except UsageError:
        if text.startswith("[") and text.endswith("]"):
            if text.count("[", 1) > NESTED:
                why = f"cannot read the value {shown(text)} in {shown(selector)}: nested too deeply"
                raise UsageError(why) from None
            return [_value(item.strip(), selector) for item in _split(text[1:-1])]
    raise UsageError(
        f"cannot read the value {shown(text)} in {shown(selector)}; write a number, true, false, a word or a [list]"
    )


def is_named(pattern: str, *names: str) -> bool:
    """Whether a glob matches one of these names in full; of its signs only * and ? are special, brackets are names'."""
    glob = pattern.replace("[", "[[]")
    return any(fnmatch.fnmatchcase(name, glob) for name in names)

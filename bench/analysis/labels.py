"""The label of a cell: its backend and the options that it was given."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench.errors import UsageError
from bench.selection import parse
from bench.types import bracketed


def label(row: Mapping[Any, Any] | pd.Series[Any]) -> str:
    """`framework.method[k=v,…]` of a row of fits; `options` may be JSON or already written out."""
    backend, options = str(row["backend"]), row["options"]
    if not isinstance(options, str) or options.startswith(("{", "[")):
        options = options_of(options)
    return backend if "[" in backend else bracketed(backend, options)


def options_of(options: Any) -> dict[str, Any]:
    """The options of a row of fits: written out as `-b` takes them, or as JSON, pairs or a mapping."""
    if isinstance(options, str) and options.startswith(("{", "[")):
        options = json.loads(options)
    elif isinstance(options, str):
        try:
            return dict(parse(f"backend[{options}]").values)
        except UsageError:
            return {}  # a table that is not of this harness
    return dict(options) if isinstance(options, (Mapping, list, tuple)) else {}


def distinct(names: Mapping[str, str]) -> dict[str, str]:
    """{cell: its name}, followed by the cell's id where several have the same."""
    several = {name for name, times in Counter(names.values()).items() if times > 1}
    return {cell: f"{name} {cell}" if name in several else name for cell, name in names.items()}


def worded(value: Any) -> str:
    """An option's value as labels have it: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def scenario_of(text: str) -> tuple[str, dict[str, Any]]:
    """Name and overrides of a scenario as tables have it: `s4-linear[n_obs=100]`."""
    try:
        selector = parse(text)
    except UsageError:
        return text, {}  # a table that is not of this harness
    return selector.name, dict(selector.values)

"""Rows of a table that come by the fit, in any order, kept as numbers: a text takes its room once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.store.columns import TABLES
from bench.store.tables import DTYPES
from bench.types import Array


class Gathered:
    """The rows of the table of this name, of which the first columns, its `key`, are those of all rows of a fit."""

    def __init__(self, name: str, key: int = 4) -> None:
        columns = TABLES[name]
        self._key, self._columns = list(columns)[:key], list(columns)[key:]
        self._types = {column: columns[column].type for column in columns}
        self._codes: dict[str, int] = {}
        self._keys: dict[int, tuple[int, ...]] = {}
        self._rows: dict[int, Array] = {}

    def add(self, place: int, key: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Those of one fit, each without its key, which will stand at this place; None where there is no number."""
        kept = [[self._number(value) for value in row] for row in rows]
        self._keys[place] = tuple(map(self._code, key))
        self._rows[place] = np.array(kept, dtype=float).reshape(-1, len(self._columns))

    def frame(self) -> pd.DataFrame:
        """All of them by place, of the types of the table."""
        places = sorted(self._rows)
        counts = [len(self._rows[place]) for place in places]
        keys = np.array([self._keys[place] for place in places]).reshape(-1, len(self._key))
        rows = np.concatenate([np.empty((0, len(self._columns))), *(self._rows[place] for place in places)])
        numbers = dict(zip(self._key, (np.repeat(column, counts) for column in keys.T), strict=True))
        numbers |= dict(zip(self._columns, rows.T, strict=True))
        return pd.DataFrame({name: self._typed(name, values) for name, values in numbers.items()}, copy=False)

    def _number(self, value: Any) -> Any:
        return self._code(value) if isinstance(value, str) else value

    def _code(self, text: str) -> int:
        return self._codes.setdefault(text, len(self._codes))

    def _typed(self, name: str, values: Array) -> Any:
        if self._types[name] == "string":
            return pd.array([*self._codes], dtype="string").take(values.astype(int))
        return pd.array(values, dtype=DTYPES["Int64"]) if self._types[name] == "Int64" else values

"""Frames read as arrays, each column once: a report asks a thousand cells a dozen small questions each."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.types import Array

Places = npt.NDArray[np.intp]


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its texts as Python objects, None where there is none: rows of those are cut out fast."""
    texts = [str(c) for c in frame if isinstance(frame[c].dtype, pd.StringDtype)]
    return frame.assign(**{c: frame[c].astype(object).where(frame[c].notna(), None) for c in texts})


class Table:
    """A frame with its columns as arrays, made when first asked for."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self._floats: dict[str, Array] = {}
        self._texts: dict[str, npt.NDArray[np.object_]] = {}
        self._codes: dict[str, tuple[Places, list[str]]] = {}
        self._flags: dict[str, npt.NDArray[np.bool_]] = {}

    def floats(self, column: str) -> Array:
        """The column as numbers; NaN for what is none, and where there is no such column."""
        if column not in self._floats:
            found = self.frame[column] if column in self.frame else pd.Series(np.nan, index=self.frame.index)
            numbers = pd.to_numeric(found, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
            self._floats[column] = numbers
        return self._floats[column]

    def texts(self, column: str) -> npt.NDArray[np.object_]:
        """The column as text; empty for what is missing."""
        if column not in self._texts:
            text = self.frame[column].astype(object)
            self._texts[column] = text.where(text.notna(), "").map(str).to_numpy(dtype=object)
        return self._texts[column]

    def flags(self, column: str) -> npt.NDArray[np.bool_]:
        """The column as truth values."""
        if column not in self._flags:
            self._flags[column] = np.asarray(self.frame[column].astype(bool), dtype=np.bool_)
        return self._flags[column]

    def codes(self, column: str) -> Places:
        """A number per row, the same for the same text; numbers are in the order of the texts."""
        return self._factorised(column)[0]

    def names(self, column: str) -> list[str]:
        """The texts that those numbers stand for."""
        return self._factorised(column)[1]

    def _factorised(self, column: str) -> tuple[Places, list[str]]:
        if column not in self._codes:
            codes, found = pd.factorize(self.texts(column), sort=True)
            self._codes[column] = codes.astype(np.intp), [str(name) for name in found]
        return self._codes[column]


class Rows:
    """Some rows of a table, by place."""

    def __init__(self, table: Table, places: Places) -> None:
        self.table, self.places = table, places

    def __len__(self) -> int:
        return len(self.places)

    def __contains__(self, column: str) -> bool:
        return column in self.table.frame

    @cached_property
    def frame(self) -> pd.DataFrame:
        """These rows as a frame."""
        return self.table.frame.iloc[self.places]

    def floats(self, column: str) -> Array:
        """As `Table.floats`."""
        return self.table.floats(column)[self.places]

    def texts(self, column: str) -> npt.NDArray[np.object_]:
        """As `Table.texts`."""
        return self.table.texts(column)[self.places]

    def flags(self, column: str) -> npt.NDArray[np.bool_]:
        """As `Table.flags`."""
        return self.table.flags(column)[self.places]

    def codes(self, column: str) -> Places:
        """As `Table.codes`."""
        return self.table.codes(column)[self.places]

    def first(self, column: str) -> Any:
        """The first row's value; None where there is no such column."""
        return self.table.texts(column)[self.places[0]] if column in self else None


class Scores(NamedTuple):
    """Rows of one metric of one cell: equal numbers in `part` are equal parts."""

    rep: Array
    part: Places
    value: Array


def runs_of(table: Table, *columns: str) -> dict[tuple[str, ...], Places]:
    """{texts of the columns: places of the rows that have them, in their order}."""
    if not len(table.frame):
        return {}
    codes = [table.codes(column) for column in columns]
    order = np.lexsort(codes[::-1])
    changed = np.zeros(len(order), dtype=np.bool_)
    for code in codes:
        changed[1:] |= np.diff(code[order]) != 0
    names = [table.names(column) for column in columns]
    pieces = np.split(order, np.flatnonzero(changed))
    return {tuple(name[code[p[0]]] for name, code in zip(names, codes, strict=True)): p for p in pieces}


def medians(keys: Array, values: Array) -> dict[float, float]:
    """{key: median of its values}, keys in order; what is NaN in either is left out."""
    there = ~(np.isnan(keys) | np.isnan(values))
    keys, values = keys[there], values[there]
    return {float(key): float(np.median(values[keys == key])) for key in np.unique(keys)}


def largest(keys: npt.NDArray[Any], values: Array) -> Array:
    """The largest value of each key, NaN left out."""
    keys, values = _there(keys, values)
    found, place = np.unique(keys, return_inverse=True)
    most = np.full(len(found), -np.inf)
    np.maximum.at(most, place, values)
    return most


def sums(keys: npt.NDArray[Any], values: Array) -> Array:
    """The sum of the values of each key, NaN left out."""
    keys, values = _there(keys, values)
    return np.bincount(np.unique(keys, return_inverse=True)[1], weights=values).astype(np.float64)


def means(keys: npt.NDArray[Any], values: Array) -> Array:
    """The mean of the values of each key, NaN left out."""
    keys, values = _there(keys, values)
    place = np.unique(keys, return_inverse=True)[1]
    return np.asarray(np.bincount(place, weights=values) / np.bincount(place), dtype=np.float64)


def _there(keys: npt.NDArray[Any], values: Array) -> tuple[npt.NDArray[Any], Array]:
    there = ~np.isnan(values)
    return keys[there], values[there]

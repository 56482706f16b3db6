"""Frames read as arrays, each column once: a report asks a thousand cells a dozen small questions each."""

from __future__ import annotations

from functools import cache, cached_property
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.types import Array

Places = npt.NDArray[np.intp]


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its texts as Python objects, None where there is none: rows of those are cut out fast."""
    texts = [str(c) for c, dtype in frame.dtypes.items() if isinstance(dtype, pd.StringDtype)]
    objects = {c: _shared(frame[c]) for c in texts}
    return frame.assign(**{c: pd.Series(column, frame.index, dtype=object) for c, column in objects.items()})


def _shared(column: pd.Series[Any]) -> npt.NDArray[np.object_]:
    """The texts of a column, equal ones as one object: a table of scores has thousands of each."""
    codes, texts = pd.factorize(column)
    return np.array([*texts, None], dtype=object)[codes]  # −1, the last, is what is missing


class Table:
    """A frame with its columns as arrays, made when first asked for."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.floats, self.texts, self.factorised = cache(self._floats), cache(self._texts), cache(self._factorised)

    def _floats(self, column: str) -> Array:
        """The column as numbers; NaN for what is none, and where there is no such column."""
        values = self.frame[column] if column in self.frame else pd.Series(np.nan, index=self.frame.index)
        return pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)

    def _texts(self, column: str) -> npt.NDArray[np.object_]:
        """The column as text; empty for what is missing, and where there is no such column."""
        if column not in self.frame:
            return np.full(len(self.frame), "", dtype=object)
        known = zip(self.frame[column].to_numpy(dtype=object), self.frame[column].notna(), strict=True)
        return np.array([str(value) if is_there else "" for value, is_there in known], dtype=object)

    def codes(self, column: str) -> Places:
        """A number per row, the same for the same text; numbers are in the order of the texts."""
        return self.factorised(column)[0]

    def names(self, column: str) -> list[str]:
        """The texts that those numbers stand for."""
        return self.factorised(column)[1]

    def _factorised(self, column: str) -> tuple[Places, list[str]]:
        codes, names = pd.factorize(self.texts(column), sort=True)
        return codes.astype(np.intp), [str(name) for name in names]


class Rows:
    """Some rows of a table, by place."""

    def __init__(self, table: Table, places: Places) -> None:
        self.table, self.places = table, places

    def __len__(self) -> int:
        return len(self.places)

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

    def codes(self, column: str) -> Places:
        """As `Table.codes`."""
        return self.table.codes(column)[self.places]


class Scores(NamedTuple):
    """Rows of one metric of one cell that have a value: equal numbers in `part` are equal parts."""

    rep: Array
    part: Places
    value: Array


def runs_of(table: Table, *columns: str) -> dict[tuple[str, ...], Places]:
    """{texts of the columns: places of the rows that have them, in their order}."""
    runs = table.frame.groupby(list(columns), sort=False).indices.items()
    return {key if isinstance(key, tuple) else (key,): np.asarray(places) for key, places in runs}


def medians(keys: Array, values: Array) -> dict[float, float]:
    """{key: median of its values}, keys in order; what is NaN in either is left out."""
    known = ~(np.isnan(keys) | np.isnan(values))
    keys, values = keys[known], values[known]
    return {float(key): float(median(values[keys == key].tolist())) for key in np.unique(keys)}


def largest(keys: npt.NDArray[Any], values: Array) -> Array:
    """The largest value of each key."""
    unique, place = np.unique(keys, return_inverse=True)
    most = np.full(len(unique), -np.inf)
    np.maximum.at(most, place, values)
    return most


def sums(keys: npt.NDArray[Any], values: Array) -> Array:
    """The sum of the values of each key."""
    return np.bincount(np.unique(keys, return_inverse=True)[1], weights=values).astype(np.float64)


def means(keys: npt.NDArray[Any], values: Array) -> Array:
    """The mean of the values of each key."""
    place = np.unique(keys, return_inverse=True)[1]
    return np.asarray(np.bincount(place, weights=values) / np.bincount(place), dtype=np.float64)

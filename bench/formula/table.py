"""Tables as people have them, CSV or Parquet: columns of numbers or of categories, or a refusal by line and column."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.errors import ScenarioError, shown

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = (",", ";", "\t", "|")
GAPS = frozenset({"", "#N/A", "N/A", "NA", "<NA>", "NULL", "NaN", "n/a", "nan", "null", "None"})
"""Texts that stand for no value."""
FLAGS = {"true": 1.0, "false": 0.0}
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?|[+-]?\d+(?:[eE][+-]?\d+)?")
BYTES = 2**30
"""A data file at most."""
LEVELS = 1000
"""Categories of one column at most."""


class Table(NamedTuple):
    """A file's cells as they stand in it, columns by name; row i stands in line `first + i`."""

    file: str
    cells: pd.DataFrame
    decimal: str
    first: int

    def refuse(self, row: int, column: str, why: str) -> ScenarioError:
        """What to raise for one cell."""
        where = f"line {self.first + row}" if self.first else f"row {row + 1}"
        return ScenarioError("data.file", self.file, f"{where}, column {column}: {why}")

    def column(self, name: str) -> Column:
        """One column read; ScenarioError for text among numbers, for what is not finite, and for other types."""
        values = self.cells[name]
        if values.dtype.kind in "OTU" or str(values.dtype) in ("str", "string", "category"):
            return self._of_text(name)
        if values.dtype.kind not in "biuf" and str(values.dtype).lower() not in _NUMERIC:
            raise ScenarioError("data.file", self.file, f"column {name} holds {values.dtype}, not numbers or texts")
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        return self._finite(name, Column(numbers, np.isnan(numbers), ()))

    def _of_text(self, name: str) -> Column:
        import pandas as pd

        texts = self.cells[name].astype(object)
        short = texts.isna().to_numpy()
        stripped = texts.where(~short, "").astype(str).str.strip()
        gaps = stripped.isin(GAPS).to_numpy()
        filled = stripped[~gaps]
        if not len(filled):
            raise ScenarioError("data.file", self.file, f"column {name} has no values")
        lower = filled.str.lower()
        if lower.isin(FLAGS).all():
            return self._numbers(name, gaps, lower.map(FLAGS).to_numpy())
        commas = self.decimal == "," or (not self.decimal and filled.map(DECIMAL_COMMA.fullmatch).notna().all())
        read = pd.to_numeric(filled.str.replace(",", ".") if commas else filled, errors="coerce").to_numpy(dtype=float)
        wrong = np.isnan(read)
        if not wrong.any():
            return self._numbers(name, gaps, read)
        if wrong.sum() < 0.5 * len(read):
            row = int(np.flatnonzero(~gaps)[wrong][0])
            raise self.refuse(row, name, f"{shown(stripped.iloc[row])} is no number, as most of the column are")
        levels = tuple(sorted(set(filled)))
        if len(levels) > LEVELS:
            raise ScenarioError(
                "data.file", self.file, f"column {name} has {len(levels)} categories, of at most {LEVELS}"
            )
        return Column(stripped.to_numpy(dtype=object), gaps, levels)

    def _numbers(self, name: str, gaps: Any, filled: Any) -> Column:
        numbers = np.full(len(gaps), np.nan)
        numbers[~gaps] = filled
        return self._finite(name, Column(numbers, gaps, ()))

    def _finite(self, name: str, column: Column) -> Column:
        infinite = np.isinf(column.values)
        if infinite.any():
            raise self.refuse(int(np.flatnonzero(infinite)[0]), name, "it must be finite")
        return column


class Column(NamedTuple):
    """Numbers, with NaN in its gaps, or the texts of categories; `levels` are the categories, sorted."""

    values: Any
    gaps: Any
    levels: tuple[str, ...]


_NUMERIC = {"boolean", *(f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (8, 16, 32, 64))}


def read(path: Path, name: str, data: Mapping[str, Any]) -> Table:
    """The cells of a file that `[data]` names; ScenarioError says what is wrong with which line of it."""
    import pandas as pd

    if path.stat().st_size > BYTES:
        raise ScenarioError("data.file", name, f"it must have at most {BYTES} bytes")
    if path.suffix == ".parquet":
        try:
            cells = pd.read_parquet(path)
        except Exception as error:  # noqa: BLE001 -- pyarrow's errors are of many types
            raise ScenarioError("data.file", name, f"it is no Parquet file: {error}") from None
        return _named(Table(name, cells, ".", 0))
    return _named(_csv(path, name, data))


def _csv(path: Path, name: str, data: Mapping[str, Any]) -> Table:
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = stream.readline(1_000_000)
    except UnicodeDecodeError:
        raise ScenarioError("data.file", name, "it must be text in UTF-8: save it so") from None
    separator = data.get("separator") or max(SEPARATORS, key=_outside_quotes(header).count)
    names = _checked(path, name, separator)
    try:
        cells = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, pd.errors.ParserError) as error:
        raise ScenarioError("data.file", name, " ".join(str(error).split())) from None
    cells.columns = names  # pandas renames what it has twice
    return Table(name, cells, data.get("decimal", ""), 2)


def _checked(path: Path, name: str, separator: str) -> list[str]:
    """The names in the first line; ScenarioError for a line that has not as many values, which pandas would fill up."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, delimiter=separator)
            names, ended = next(rows, []), 0
            if not names:
                raise ScenarioError("data.file", name, "it is empty: its first line must name the columns")
            for row in rows:
                if not any(row):
                    ended = ended or rows.line_num
                elif ended:
                    raise ScenarioError("data.file", name, f"line {ended} is blank")
                elif len(row) != len(names):
                    why = f"line {rows.line_num} has {len(row)} values, the first line {len(names)} names"
                    raise ScenarioError("data.file", name, f"{why} (separated by {separator!r})")
    except UnicodeDecodeError:
        raise ScenarioError("data.file", name, "it must be text in UTF-8: save it so") from None
    except csv.Error as error:
        raise ScenarioError("data.file", name, f"line {rows.line_num}: {error}") from None
    return names


def _named(table: Table) -> Table:
    names = [str(name).strip() for name in table.cells.columns]
    for i, name in enumerate(names):
        if not name:
            raise ScenarioError("data.file", table.file, f"column {i + 1} has no name in the first line")
        if name in names[:i]:
            raise ScenarioError("data.file", table.file, f"two columns are named {name}")
    if not len(table.cells):
        raise ScenarioError("data.file", table.file, "it has no rows")
    return table._replace(cells=table.cells.set_axis(names, axis=1))


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def used(table: Table, names: Iterable[str]) -> dict[str, Column]:
    """The columns of these names; ScenarioError for one that the file has not."""
    for name in names:
        if name not in table.cells.columns:
            allowed = f"{table.file} has no such column; it has {', '.join(map(str, table.cells.columns[:30]))}"
            raise ScenarioError("formula", name, allowed)
    return {name: table.column(name) for name in names}

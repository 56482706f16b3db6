"""Tables as people have them, CSV or Parquet: columns of numbers or of categories, or a refusal by line and column."""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
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
BUFFER = 2**18
"""Bytes of a column of a Parquet file that are read at a time."""
LEVELS = 1000
"""Categories of one column at most."""


class Kind(NamedTuple):
    """How texts of a column are read: as flags, as numbers (with decimal `commas`), or as categories `levels`."""

    flags: bool = False
    commas: bool = False
    levels: tuple[str, ...] = ()


class Survey:
    """What the texts of a column have in common, as far as its rows have been seen."""

    def __init__(self, decimal: str) -> None:
        self.flags, self.commas, self.filled, self.wrong = True, decimal != ".", 0, 0
        self.first: tuple[int, str] | None = None
        """The first that is no number with a decimal point, or with the file's comma, and its row."""
        self._decimal, self._levels = decimal, set[str]()

    def add(self, texts: pd.Series[str], gaps: Any, start: int = 0) -> None:
        """Take in stripped texts, but for the gaps among them; the first is of row `start`."""
        filled = texts[~gaps]
        self.filled += len(filled)
        self.flags = self.flags and bool(filled.str.lower().isin(FLAGS).all())
        if not self._decimal:
            self.commas = self.commas and bool(filled.map(DECIMAL_COMMA.fullmatch).notna().all())
        wrong = np.isnan(_numbers(filled, commas=self._decimal == ","))
        self.wrong += int(wrong.sum())
        if self.first is None and wrong.any():
            self.first = start + int(np.flatnonzero(~gaps)[wrong][0]), str(filled[wrong].iloc[0])
        if len(self._levels) <= LEVELS:
            self._levels.update(filled)

    def kind(self, table: Table, name: str) -> Kind:
        """What follows of all rows; ScenarioError for text among numbers, and for a column without values."""
        if not self.filled:
            raise ScenarioError("data.file", table.file, f"column {name} has no values")
        if self.flags or self.commas or not self.wrong:
            return Kind(self.flags, self.commas)
        if self.first is not None and self.wrong < 0.5 * self.filled:
            row, text = self.first
            raise table.refuse(row, name, f"{shown(text)} is no number, as most of the column are")
        if len(self._levels) > LEVELS:
            raise ScenarioError("data.file", table.file, f"column {name} has more than {LEVELS} categories")
        return Kind(levels=tuple(sorted(self._levels)))


def _numbers(texts: pd.Series[str], *, commas: bool) -> Any:
    """NaN for what is none."""
    import pandas as pd

    return pd.to_numeric(texts.str.replace(",", ".") if commas else texts, errors="coerce").to_numpy(dtype=float)


class Table(NamedTuple):
    """A file's cells as they stand in it, columns by name; row i stands in line `first + i`.

    A part of a file begins at its row `start`.
    """

    file: str
    cells: pd.DataFrame
    decimal: str
    first: int
    start: int = 0

    def refuse(self, row: int, column: str, why: str) -> ScenarioError:
        """What to raise for one cell."""
        row += self.start
        where = f"line {self.first + row}" if self.first else f"row {row + 1}"
        return ScenarioError("data.file", self.file, f"{where}, column {column}: {why}")

    def is_text(self, name: str) -> bool:
        """Whether a column holds texts, which say numbers or categories."""
        dtype = self.cells[name].dtype
        return dtype.kind in "OTU" or str(dtype) in ("str", "string", "category")

    def column(self, name: str, kind: Kind | None = None) -> Column:
        """One column read; ScenarioError for text among numbers, for what is not finite, and for other types.

        Texts are read as of that `kind`, or as these rows say.
        """
        values = self.cells[name]
        if self.is_text(name):
            return self._of_text(name, kind)
        if values.dtype.kind not in "biuf" and str(values.dtype).lower() not in _NUMERIC:
            raise ScenarioError("data.file", self.file, f"column {name} holds {values.dtype}, not numbers or texts")
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        return self._finite(name, Column(numbers, np.isnan(numbers), ()))

    def texts(self, name: str) -> tuple[pd.Series[str], Any]:
        """The texts of a column, stripped, and which of them are gaps."""
        texts = self.cells[name].astype(object)
        short = texts.isna().to_numpy()
        stripped = texts.where(~short, "").astype(str).str.strip()
        return stripped, stripped.isin(GAPS).to_numpy()

    def _of_text(self, name: str, kind: Kind | None) -> Column:
        stripped, gaps = self.texts(name)
        if kind is None:
            survey = Survey(self.decimal)
            survey.add(stripped, gaps)
            kind = survey.kind(self, name)
        filled = stripped[~gaps]
        if kind.levels:
            return Column(stripped.to_numpy(dtype=object), gaps, kind.levels)
        if kind.flags:
            return self._numbers(name, gaps, filled.str.lower().map(FLAGS).to_numpy())
        return self._numbers(name, gaps, _numbers(filled, commas=kind.commas))

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


def pieces(path: Path, name: str, data: Mapping[str, Any], rows: int) -> Generator[Table, None, None]:
    """The cells of a file of any size, so many rows of it at a time; ScenarioError as `read`."""
    import pandas as pd
    from pyarrow import parquet

    start = 0
    if path.suffix == ".parquet":
        try:
            with parquet.ParquetFile(path, buffer_size=BUFFER) as stored:
                for group in range(stored.num_row_groups):  # of all groups at once it reads many ahead
                    for batch in stored.iter_batches(rows, row_groups=[group], use_threads=False):
                        yield _named(Table(name, batch.to_pandas(), ".", 0, start))
                        start += len(batch)
        except (OSError, ValueError) as error:  # pyarrow's errors are of these types
            raise ScenarioError("data.file", name, f"it is no Parquet file: {error}") from None
    else:
        separator = _separator(path, name, data)
        names = _checked(path, name, separator)
        how: dict[str, Any] = {"sep": separator, "dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
        try:
            with pd.read_csv(path, chunksize=rows, **how) as parts:
                for cells in parts:
                    cells.columns = names  # pandas renames what it has twice
                    yield _named(Table(name, cells.reset_index(drop=True), data.get("decimal", ""), 2, start))
                    start += len(cells)
        except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise ScenarioError("data.file", name, " ".join(str(error).split())) from None
    if not start:
        raise ScenarioError("data.file", name, "it has no rows")


def read(path: Path, name: str, data: Mapping[str, Any]) -> Table:
    """The cells of a file that `[data]` names; ScenarioError says what is wrong with which line of it."""
    import pandas as pd

    if path.stat().st_size > BYTES:
        allowed = f"it must have at most {BYTES} bytes; a larger one is read in parts by chunk_rows, such as 100000"
        raise ScenarioError("data.file", name, allowed)
    if path.suffix == ".parquet":
        try:
            cells = pd.read_parquet(path)
        except Exception as error:  # noqa: BLE001 -- pyarrow's errors are of many types
            raise ScenarioError("data.file", name, f"it is no Parquet file: {error}") from None
        return _named(Table(name, cells, ".", 0))
    with closing(pieces(path, name, data, BYTES)) as whole:  # a row has a byte or more
        return next(whole)


def _separator(path: Path, name: str, data: Mapping[str, Any]) -> str:
    """What stands between values: what `[data]` says, or what is most often in the first line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = stream.readline(1_000_000)
    except UnicodeDecodeError:
        raise ScenarioError("data.file", name, "it must be text in UTF-8: save it so") from None
    return data.get("separator") or max(SEPARATORS, key=_outside_quotes(header).count)


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
    present(table, names)
    return {name: table.column(name) for name in names}


def present(table: Table, names: Iterable[str]) -> None:
    """ScenarioError for a name that is no column's."""
    for name in names:
        if name not in table.cells.columns:
            allowed = f"{table.file} has no such column; it has {', '.join(map(str, table.cells.columns[:30]))}"
            raise ScenarioError("formula", name, allowed)

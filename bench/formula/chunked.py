"""A design of a data file of any size: read twice, a part of its rows at a time, its arrays in files.

The first reading finds how columns of text are read and which categories there are, the second makes the design's rows.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench import chunks
from bench.errors import ScenarioError
from bench.formula import table as tables
from bench.formula.make import needed
from bench.formula.maker import ALL_GAPS, GAPS, Maker, labels_of
from bench.formula.terms import Parsed
from bench.types import Array, Design

AT_ONCE = re.compile(r"\b(center|scale|poly|bs|cr|cc)\s*\(")
"""Functions of all rows at once."""
MOST = 10**7
"""Rows of a part at most."""


def make(file: Path, table: Mapping[str, Any], settings: Mapping[str, Any]) -> Design:
    """The design of a scenario file with that content, its arrays read-only maps of files; ScenarioError."""
    rows = table["chunk_rows"]
    if isinstance(rows, bool) or not isinstance(rows, int) or not 1 <= rows <= MOST:
        raise ScenarioError("chunk_rows", rows, f"it must be a whole number of 1 to {MOST}")
    for key in ("trials", "frequency"):
        if key in settings:
            raise ScenarioError(f"data.{key}", settings[key], "data that are read in chunks have none")
    if settings["share"]:
        raise ScenarioError("holdout.share", settings["share"], "of data that are read in chunks no rows are held out")
    if found := AT_ONCE.search(table["formula"]):
        raise ScenarioError(
            "formula", table["formula"], f"{found[1]} needs all rows at once; [data] standardise = true does not"
        )
    reader = _Reader(file, table, settings)
    made = _Rows(reader)
    both = chunks.written(made)
    return made.design(both)


class _Reader:
    """The parts of a file, with the columns that a formula needs; how texts are read was found by a first reading."""

    def __init__(self, file: Path, table: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        self.table, self.settings, self.rows = table, settings, table["chunk_rows"]
        self._path, self._kinds, self.n = file.parent / settings["file"], dict[str, tables.Kind](), 0
        with closing(self._parts()) as parts:
            self._survey(parts)
        if self.parsed.group:
            raise ScenarioError("formula", table["formula"], "data that are read in chunks have no varying intercept")

    def _survey(self, parts: Iterator[tables.Table]) -> None:
        """Which columns are needed, and how those of texts are read; ScenarioError for a gap that is refused."""
        surveys: dict[str, tables.Survey] = {}
        for part in parts:
            if not surveys:
                self.parsed, self.beside, self.names = needed(part, self.table, self.settings)
                tables.present(part, self.names)
                surveys = {name: tables.Survey(part.decimal) for name in self.names if part.is_text(name)}
                head = part
            for name in self.names:
                texts, gaps = part.texts(name) if name in surveys else (None, part.column(name).gaps)
                if texts is not None:
                    surveys[name].add(texts, gaps, part.start)
                if gaps.any() and self.settings["missing"] == "refuse":
                    why = 'no value; fill it, or leave such rows out by [data] missing = "drop"'
                    raise part.refuse(int(np.argmax(gaps)), name, why)
            self.n += len(part.cells)
        self._kinds = {name: survey.kind(head, name) for name, survey in surveys.items()}

    def makers(self) -> Iterator[Maker]:
        """One of each part that has a row without gaps."""
        with closing(self._parts()) as parts:
            for part in parts:
                columns = {name: part.column(name, self._kinds.get(name)) for name in self.names}
                gaps = np.logical_or.reduce([column.gaps for column in columns.values()])
                if not gaps.all():
                    yield Maker(part, self.parsed, self.table, self.settings, self.beside, columns)

    def _parts(self) -> Generator[tables.Table, None, None]:
        return tables.pieces(self._path, self.settings["file"], self.settings, self.rows)

    parsed: Parsed
    beside: dict[str, str]
    names: list[str]


@dataclass
class _Rows:
    """The rows of a design, its observations as a last column, and what is learned while they go by."""

    reader: _Reader
    seen: chunks.Moments = field(default_factory=chunks.Moments)
    dropped: dict[str, int] = field(default_factory=dict)
    low: Array = field(default_factory=lambda: np.array(np.inf))
    high: Array = field(default_factory=lambda: np.array(-np.inf))
    dummy: Any = True
    """Whether a column is 0 or 1 throughout."""
    specs: Any = None
    first: Maker | None = None

    def __iter__(self) -> Iterator[Array]:
        for maker in self.reader.makers():
            frame = maker.frame(maker.train)
            if self.first is None:
                self.first, self.specs = maker, maker.specs(frame)
                labels = list(labels_of(self.specs).values())
                intercept = "Intercept" in self.specs[1].column_names
                maker.check(labels, len(frame), has_intercept=intercept, most=np.inf)
            arrays = maker.arrays(maker.side(maker.train, self.specs, frame))
            for name, count in maker.dropped.items():
                self.dropped[name] = self.dropped.get(name, 0) + count
            self._learn(arrays["x"])
            yield np.column_stack([arrays["x"], arrays["y"]])
        if self.first is None:
            raise ScenarioError("data.file", self.reader.settings["file"], ALL_GAPS)

    def _learn(self, x: Array) -> None:
        self.seen.add(x)
        self.low, self.high = np.minimum(self.low, x.min(axis=0)), np.maximum(self.high, x.max(axis=0))
        self.dummy = self.dummy & ((x == 0.0) | (x == 1.0)).all(axis=0)

    def design(self, both: Array) -> Design:
        """The design of all rows, which lie in a file; ScenarioError where they cannot be one."""
        assert self.first is not None, "the rows were made before"
        maker, labels = self.first, list(labels_of(self.specs).values())
        maker.check_varying(labels, self.high - self.low)
        maker.dropped = {name: self.dropped[name] for name in self.reader.names if self.dropped.get(name)}
        after = [note for note in maker.notes if GAPS not in note]
        maker.notes = []
        if self.reader.n > self.seen.n:
            each = ", ".join(f"{name} {count}" for name, count in maker.dropped.items())
            maker.notes = [f"{self.reader.n - self.seen.n} of {self.reader.n} rows {GAPS}: {each}."]
        centre, sd = np.zeros(len(labels)), np.ones(len(labels))
        if maker.settings["standardise"]:
            centre, sd = maker.scaling(labels, self.seen.mean, self.seen.sd, self.dummy)
        rows, whole = self.reader.rows, {"both": both}
        x = chunks.written((part["both"][:, :-1] - centre) / sd for part in chunks.each(whole, rows))
        y = chunks.written(part["both"][:, -1] for part in chunks.each(whole, rows))
        maker.notes += after
        return maker.described(self.specs, {"x": x, "y": y}, {})

"""The results table: one over all scenarios, its columns, rows, bars and the reasons of its blanks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from bench.analysis.contender import MANY
from bench.analysis.sections import STATES, Report, Row, Section
from bench.present.cells import WORDS, Cell, row_icon
from bench.present.columns import Column, page_columns
from bench.words.clean import clean

WHOLE = 500
"""Up to so many rows stand in the page's HTML; of more, the first `PAGE`, the others as data for the script."""
PAGE = 200
UNSAFE = "<>&\u2028\u2029"


@dataclass(frozen=True)
class Entry:
    """A row of the table, with what it can be filtered by."""

    section: Section
    row: Row
    number: int
    cells: tuple[Cell, ...]
    facts: Mapping[str, str]

    @property
    def name(self) -> str:
        """`scenario/backend`, as links write it."""
        return clean(f"{self.section.title}/{self.row.label}")


@dataclass(frozen=True)
class Results:
    """Columns, entries in the order of the page, and the reasons that notes number from 1.

    Only the first `visible` reasons are of columns that are shown at first.
    """

    columns: tuple[Column, ...]
    entries: tuple[Entry, ...]
    reasons: tuple[str, ...]
    visible: int

    @property
    def complete(self) -> bool:
        """Whether every row stands in the HTML."""
        return len(self.entries) <= WHOLE

    @property
    def first(self) -> tuple[Entry, ...]:
        """The rows that stand in the HTML."""
        return self.entries if self.complete else self.entries[:PAGE]

    def of(self, section: Section) -> list[Entry]:
        """The entries of a section."""
        return [entry for entry in self.entries if entry.section is section]


FILTERS = ("kind", "device", "dtype", "track", "status")


def results(report: Report) -> Results:
    """The table of all sections; the best first where it is too long to show whole."""
    pairs = report.rows
    columns = page_columns(report.sections)
    if len(pairs) > WHOLE:
        pairs.sort(key=lambda pair: _rank(*pair))
    texts = [[column.cell(row, section) for column in columns] for section, row in pairs]
    ranges = [_range(cells[i] for cells in texts) if column.bar else None for i, column in enumerate(columns)]
    # The reasons of the columns that are shown at first come first.
    whys = [(cells[i].why, column.group) for i, column in enumerate(columns) for cells in texts if cells[i].why]
    reasons = {why: number for number, why in enumerate(dict.fromkeys(why for why, _ in whys), 1)}
    visible = len({why for why, group in whys if not group})
    entries = []
    for number, ((section, row), cells) in enumerate(zip(pairs, texts, strict=True)):
        shown = tuple(
            replace(cell, note=reasons.get(cell.why, 0), bar=_bar(cell.value, span))
            for cell, span in zip(cells, ranges, strict=True)
        )
        facts = {name: clean(row.tables.texts(name)) for name in ("device", "dtype", "track")}
        entries.append(Entry(section, row, number, shown, {"kind": row.kind, **facts, "status": WORDS[row.state]}))
    return Results(tuple(columns), tuple(entries), tuple(reasons), visible)


def _rank(section: Section, row: Row) -> tuple[int, float, float, str]:
    ratio = section.ratio(row, MANY)
    factor = 1.0 if section.leads(row, MANY) else ratio.value if ratio else math.inf
    error = math.inf if row.b2_max is None else row.b2_max
    return STATES.index(row.state), factor, error, f"{section.title}/{row.label}"


def _range(cells: Iterable[Cell]) -> tuple[float, float] | None:
    values = [c.value for c in cells if c.value is not None and 0 < c.value < math.inf]
    return (min(values), max(values)) if values else None


def _bar(value: float | None, span: tuple[float, float] | None) -> int:
    if span is None or value is None or not 0 < value < math.inf:
        return 0
    low, high = span
    share = 1.0 if high == low else math.log(value / low) / math.log(high / low)
    return round(4 + 96 * share)  # the least value keeps a bar that can be seen


def embedded(table: Results, *, hidden: bool = True) -> Markup:
    """The rows that do not stand in the HTML, by column; JSON that cannot end its script element."""
    rest = table.entries[len(table.first) :]
    data: dict[str, Any] = {
        "scenario": [clean(e.section.title) for e in rest],
        "backend": [clean(e.row.label) for e in rest],
        "state": [e.row.state for e in rest],
        "icon": ["" if e.row.state == "met" and not e.row.warning else row_icon(e.row) for e in rest],
        "fit": [e.number for e in rest],
        "facts": {name: _coded([e.facts.get(name, "") for e in rest]) for name in FILTERS},
        "cells": {
            column.key: {
                "text": [e.cells[i].text for e in rest],
                "small": _unless_empty([e.cells[i].small for e in rest]),
                "value": _unless_empty([_rounded(e.cells[i].value) for e in rest]),
                "note": _unless_empty([e.cells[i].note for e in rest]),
                "bar": _unless_empty([e.cells[i].bar for e in rest]),
            }
            for i, column in enumerate(table.columns)
            if hidden or not column.group
        },
    }
    return as_json(data if rest else {})


def _coded(words: list[str]) -> dict[str, list[Any]]:
    known = sorted(set(words))
    return {"words": known, "at": [known.index(word) for word in words]}


def _unless_empty(values: list[Any]) -> list[Any]:
    return values if any(value or value == 0.0 for value in values) else []


def _rounded(value: float | None) -> float | None:
    # JSON has no infinities; the text says them in words.
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")


def as_json(data: Any) -> Markup:
    """JSON for a script element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for char in UNSAFE:
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704  # nothing in it can end the element


def digits(note: int) -> str:
    """A note's number as superscript digits."""
    return str(note).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")) if note else ""

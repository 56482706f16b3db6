"""A comparison as plain text."""

from __future__ import annotations

import textwrap

from bench.compare.rows import Comparison, Row
from bench.present.comparison import words
from bench.words import format as fmt

TITLES = ("verdict", "metric", "A", "B", "B/A (interval)", "threshold")


def render(made: Comparison, *, everything: bool) -> str:
    """Headline, what differs, the rows cell by cell, counts, warnings; the same comparison gives the same text."""
    rows = words.shown(made, everything=everything)
    lines = [words.headline(made), "", f"A = {made.a}, B = {made.b}", *words.provenance(made), ""]
    lines += _table(rows) if rows else []
    hidden = len(made.rows) - len(rows)
    lines.append(words.counted(made) + (f"; {fmt.count(hidden, 'row')} not shown (--all)" if hidden else ""))
    if made.tests:
        lines += ["", *textwrap.wrap(words.method(made), 116)]
    for warning in made.warnings:
        # A command is left on its line, to be copied whole.
        lines += ["", f"warning: {warning.replace(' Next', chr(10) + '  next', 1)}"]
    return "\n".join(lines) + "\n"


def _table(rows: list[Row]) -> list[str]:
    cells = [
        (r.verdict + (" !" if r.regression else ""), r.metric, words.value(r, r.a), words.value(r, r.b),
         words.change(r), r.threshold)
        for r in rows
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(TITLES, *cells, strict=True)]
    lines = ["  ".join(t.ljust(w) for t, w in zip(TITLES, widths, strict=True)) + "  cell"]
    for row, cell in zip(rows, cells, strict=True):
        line = "  ".join(text.ljust(w) for text, w in zip(cell, widths, strict=True))
        lines.append(f"{line}  {row.name}")
        if remarks := words.remarks(row):
            lines.append(f"    {fmt.shortened(remarks.splitlines()[0])}")
    return [*lines, ""]

"""A comparison as GitHub-flavoured Markdown, short enough for a comment."""

from __future__ import annotations

from bench.compare.rows import Comparison, Row
from bench.present import gfm
from bench.present.comparison import words
from bench.present.gfm import MARKER, escape
from bench.words import format as fmt


def render(made: Comparison, *, everything: bool) -> str:
    """Headline and the rows that changed, or all rows with `everything`; what is too long is cut with a word."""
    rows = words.shown(made, everything=everything)
    return gfm.cut(len(rows), lambda kept: _text(made, rows[:kept], len(rows) - kept))


def _text(made: Comparison, rows: list[Row], cut: int) -> str:
    lines = [MARKER, f"**{escape(words.headline(made))}**", "", f"A = {escape(made.a)}, B = {escape(made.b)}"]
    lines += [f"- {escape(line)}" for line in words.provenance(made)]
    lines += ["", *_table(rows)] if rows else []
    lines += [f"*{fmt.count(cut, 'row')} more cut here; `--format json` has them all.*"] if cut else []
    lines += ["", escape(words.counted(made))]
    lines += ["", f"*{escape(words.method(made))}*"] if made.tests else []
    lines += [""] if made.warnings else []
    return "\n".join([*lines, *(f"> {escape(w)}\n" for w in made.warnings)]).rstrip("\n") + "\n"


def _table(rows: list[Row]) -> list[str]:
    titles = ("cell", "metric", "verdict", "A", "B", "B/A (interval)", "threshold", "")
    cells = []
    for row in rows:
        verdict = f"**{row.verdict}**" if row.regression else row.verdict
        numbers = [words.value(row, row.a), words.value(row, row.b), words.change(row), row.threshold]
        remarks = fmt.shortened(words.remarks(row))
        cells.append([escape(row.name), escape(row.metric), verdict, *map(escape, numbers), escape(remarks)])
    return gfm.table(titles, cells, "lllrrrrl")

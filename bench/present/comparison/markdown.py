"""A comparison as GitHub-flavoured Markdown, short enough for a comment."""

from __future__ import annotations

from bench.compare.rows import Comparison, Row
from bench.present.comparison import words
from bench.present.markdown import escape
from bench.words import format as fmt

LIMIT = 30_000
"""Characters; a job summary or a comment that is too long is dropped without a word."""
MARKER = "<!-- bench-report -->"
"""By which a bot finds its own comment."""


def render(made: Comparison, *, everything: bool) -> str:
    """Headline, the rows that changed, and under a fold all of them with `everything`; cut with a word at LIMIT."""
    rows = words.shown(made, everything=everything)
    kept = len(rows)
    while len(text := _text(made, rows[:kept], len(rows) - kept)) > LIMIT and kept:
        kept = int(kept * 0.8)
    return text


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
    lines = ["| " + " | ".join(titles) + " |", "| --- | --- | --- | ---: | ---: | ---: | ---: | --- |"]
    for row in rows:
        verdict = f"**{row.verdict}**" if row.regression else row.verdict
        numbers = [words.value(row, row.a), words.value(row, row.b), words.change(row), row.threshold]
        remarks = fmt.shortened(words.remarks(row))
        told = [escape(row.name), escape(row.metric), verdict, *map(escape, numbers), escape(remarks)]
        lines.append("| " + " | ".join(told) + " |")
    return lines

"""GitHub-flavoured Markdown: escaping, tables, folds, and a text that is cut until it is short enough."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from bench.words.clean import clean

MARKER = "<!-- bench-report -->"
"""By which a bot finds its own comment."""
CHARACTERS = 30_000
"""At most: a job summary or a comment that is too long is dropped without a word."""
ALIGNED = {"l": "---", "r": "---:"}


def escape(text: str) -> str:
    """Text that Markdown and HTML leave alone, on one line."""
    text = " ".join(clean(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", text)


def code(text: str) -> str:
    """Text as code, on one line, also in a table."""
    return f"`{clean(text).replace('`', chr(39)).replace('|', chr(92) + '|').replace(chr(10), ' ')}`"


def table(titles: Sequence[str], rows: Iterable[Sequence[str] | str], align: str) -> list[str]:
    """The lines of a table of Markdown that is escaped already; `align` has an `l` or an `r` per column.

    A row that is one text is a heading over the rows that follow it. Titles that are all empty leave the head blank.
    """
    head = _row(titles) if any(titles) else _heading("", len(titles))
    rule = _row([ALIGNED[side] for side in align])
    return [head, rule, *(_heading(row, len(titles)) if isinstance(row, str) else _row(row) for row in rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _heading(text: str, columns: int) -> str:
    return (f"| {text} |" if text else "| |") + " |" * (columns - 1)


def fold(title: str, lines: Iterable[str]) -> list[str]:
    """The lines under a title that opens them."""
    return ["", f"<details><summary>{title}</summary>", "", *lines, "", "</details>"]


def cut(rows: int, text: Callable[[int], str]) -> str:
    """The text of the first so many of the rows: of all, or of fewer until it has at most CHARACTERS."""
    while len(document := text(rows)) > CHARACTERS and rows:
        rows = int(rows * 0.8)
    return document

"""The table at the end of a run: verdicts, then a row per scenario × backend."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.reports import format as fmt
from bench.reports.columns import WORDS
from bench.reports.matrix import overall
from bench.reports.sections import Row, sections
from bench.reports.sentence import Sentence
from bench.reports.tables import RunTables

STYLES = {"": "", "b": "bold", "i": "italic"}
QUIET = ("met", "point", "reference")


def summary(tables: RunTables) -> RenderableType:
    """A rich renderable: one row per scenario × backend, verdict lines under it."""
    found = sections(tables)
    table = Table(header_style="bold", box=None, pad_edge=False)
    for title in ("scenario", "backend", "status"):
        table.add_column(title, overflow="fold")
    for title in ("warm", "cold", "b²_max", "ESS/s", "recovery RMSE"):
        table.add_column(title, justify="right", no_wrap=True)
    for section in found:
        for i, row in enumerate(section.rows):
            table.add_row(Text(section.title if i == 0 else ""), *_cells(row), end_section=row is section.rows[-1])
    verdicts = [_text(s.verdict.sentence) for s in found]
    total = overall(found)
    return Group(table, Text(""), *verdicts, *([_text(total)] if total else []))


def _cells(row: Row) -> tuple[Text, ...]:
    partial = f" ({row.reps}/{row.planned} reps)" if row.reps not in (0, row.planned) else ""
    return (
        Text(row.label),
        Text(WORDS[row.state] + partial, style="" if row.state in QUIET else "yellow"),
        Text(fmt.seconds(row.warm)),
        Text(fmt.seconds(row.cold)),
        Text(fmt.error(row.b2_max)),
        Text(fmt.significant(row.ess_per_second) if row.kind == "mcmc" else "n/a"),
        Text(fmt.significant(row.recovery_rmse)),
    )


def _text(sentence: Sentence) -> Text:
    text = Text()
    for part in sentence:
        text.append(part.text, style=STYLES[part.style])
    return text

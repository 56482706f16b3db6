"""The table at the end of a run: verdicts, then a row per scenario × backend."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.sections import Row, sections
from bench.analysis.tables import RunTables
from bench.present.columns import WORDS, error_text
from bench.present.matrix import overall
from bench.words import format as fmt
from bench.words.clean import clean
from bench.words.sentence import Sentence

STYLES = {"": "", "b": "bold", "i": "italic"}
FLAGGED = ("not converged", "unchecked")
QUIET = ("met", "point", "reference")


def summary(tables: RunTables) -> RenderableType:
    """A rich renderable: a row per scenario × backend under the scenario's name, then the verdicts."""
    found = sections(tables)
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column("backend", overflow="fold", ratio=1)
    table.add_column("status", overflow="fold", max_width=16)
    for title in ("warm", "cold", "b²_max", "ESS/s", "RMSE"):
        table.add_column(title, justify="right", no_wrap=True)
    for section in found:
        table.add_row(Text(section.title, style="bold"))
        for row in section.rows:
            table.add_row(*_cells(row))
    flags = [_flag(row, section.title) for section in found for row in section.rows if row.state in FLAGGED]
    verdicts = [_text(s.verdict.sentence) for s in found]
    total = overall(found)
    return Group(table, Text(""), *flags, *([Text("")] if flags else []), *verdicts, *([_text(total)] if total else []))


def _flag(row: Row, scenario: str) -> Text:
    """Which gate a fit failed, so that nobody need open the report to learn it."""
    return Text.assemble((f"{WORDS[row.state]}: ", "yellow"), f"{row.label} on {scenario}: {clean(row.reason)}")


def _cells(row: Row) -> tuple[Text, ...]:
    partial = f" ({row.reps}/{row.planned} reps)" if row.reps not in (0, row.planned) else ""
    return (
        Text(f"  {row.label}"),
        Text(WORDS[row.state] + partial, style="" if row.state in QUIET else "yellow"),
        Text(fmt.seconds(row.warm)),
        Text(fmt.seconds(row.cold)),
        Text(error_text(row)),
        Text(fmt.significant(row.ess_per_second) if row.kind == "mcmc" else "n/a"),
        Text(fmt.significant(row.recovery_rmse)),
    )


def _text(sentence: Sentence) -> Text:
    text = Text()
    for part in sentence:
        text.append(part.text, style=STYLES[part.style])
    return text

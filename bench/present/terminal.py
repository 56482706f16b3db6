"""The table at the end of a run: verdicts, then a row per scenario × backend."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.sections import QUIET, Report, Row
from bench.present.columns import WORDS
from bench.present.matrix import overall
from bench.words import format as fmt
from bench.words.clean import clean
from bench.words.sentence import Sentence

STYLES = {"": "", "b": "bold", "i": "italic"}
FLAGGED = ("not converged", "unchecked")


def summary(report: Report) -> RenderableType:
    """A rich renderable: a row per scenario × backend under the scenario's name, then the verdicts."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column("backend", overflow="fold", ratio=1)
    table.add_column("status", overflow="fold", max_width=16)
    for title in ("warm", "cold", "b²_max", "ESS/s", "RMSE"):
        table.add_column(title, justify="right", no_wrap=True)
    for section in report.sections:
        table.add_row(Text(section.title, style="bold"))
        for row in section.rows:
            table.add_row(*_cells(row))
    flags = [_flag(row, section.title) for section, row in report.rows if row.state in FLAGGED]
    sentences = [s.verdict.sentence for s in report.sections]
    if total := overall(report.sections):
        sentences.append(total)
    return Group(table, Text(""), *flags, *([Text("")] if flags else []), *map(_text, sentences))


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
        Text(row.shown_error),
        Text(fmt.significant(row.ess_per_second) if row.kind == "mcmc" else "n/a"),
        Text(fmt.significant(row.recovery_rmse)),
    )


def _text(sentence: Sentence) -> Text:
    text = Text()
    for part in sentence:
        text.append(part.text, style=STYLES[part.style])
    return text

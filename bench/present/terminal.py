"""The table at the end of a run: verdicts, then a row per scenario × backend."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.sections import QUIET, Report, Row
from bench.present.cells import MEASURED, PRORATED, WORDS, status_words
from bench.present.matrix import overall
from bench.present.provenance import UNTIL
from bench.present.reproduce import remedy
from bench.words import format as fmt
from bench.words import program
from bench.words.clean import clean
from bench.words.sentence import Sentence, plain, say

STYLES = {"": "", "b": "bold", "i": "italic"}
FLAGGED = ("not converged", "unchecked")
NOTE = (
    "The table has median seconds of whole fits: one from a fresh start, import and compile included, and each further "
    "one in the same process. Verdicts are by the seconds to the target. " + UNTIL
)


def summary(report: Report) -> RenderableType:
    """A rich renderable: a row per scenario × backend under the scenario's name, then the verdicts."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column("backend", overflow="fold", ratio=1)
    table.add_column("status", overflow="fold", max_width=16)
    for title in ("one fit", "further fit", "b²_max", "ESS/s", "RMSE"):
        table.add_column(title, justify="right", no_wrap=True)
    for section in report.sections:
        table.add_row(Text(section.title, style="bold"))
        for row in section.rows:
            table.add_row(*_cells(row))
    flags = [_flag(row, section.title) for section, row in report.rows if row.state in FLAGGED]
    verdicts = [section.verdict for section in report.sections]
    sentences = [line for v in verdicts for line in (v.sentence, v.made_of, *v.warnings) if line]
    remedies = (remedy(s, report.tables.run, program.command) for s in report.sections)
    needed = [say("Next: {it}", it=it) for it in remedies if it]
    sentences += [*needed[:1], *([say("and so for {n} more", n=str(len(needed) - 1))] if len(needed) > 1 else [])]
    if total := overall(report.sections):
        sentences.append(total)
    notes = [NOTE, *([PRORATED] if any("≈" in plain(sentence) for sentence in sentences) else [])]
    notes += [MEASURED] if any(section.measured for section in report.sections) else []
    return Group(
        table, Text(""), *flags, *([Text("")] if flags else []), *map(_text, sentences), Text(""),
        *(Text(note, style="dim") for note in notes),
    )  # fmt: skip


def _flag(row: Row, scenario: str) -> Text:
    """Which gate a fit failed, so that nobody need open the report to learn it."""
    return Text.assemble((f"{WORDS[row.state]}: ", "yellow"), f"{row.label} on {scenario}: {clean(row.reason)}")


def _cells(row: Row) -> tuple[Text, ...]:
    partial = f" ({row.reps}/{row.planned} reps)" if row.reps not in (0, row.planned) else ""
    return (
        Text(f"  {row.label}"),
        Text(status_words(row) + partial, style="" if row.state in QUIET and not row.warning else "yellow"),
        Text(fmt.seconds(row.once)),
        Text(fmt.seconds(row.warm)),
        Text(row.shown_error),
        Text(fmt.significant(row.ess_per_second) if row.kind == "mcmc" else "n/a"),
        Text(fmt.significant(row.recovery_rmse)),
    )


def _text(sentence: Sentence) -> Text:
    text = Text()
    for part in sentence:
        text.append(part.text, style=STYLES[part.style])
    return text

"""The summary of a CI job, in Markdown: what has no value first, then the report."""

from __future__ import annotations

from bench.analysis.sections import report
from bench.analysis.tables import RunTables
from bench.present import markdown
from bench.present.export.points import Absent, Points
from bench.present.gfm import escape
from bench.words import format as fmt

FILE = "summary.md"
NAMED = 10
"""Benchmarks without a value that are named before the rest are counted."""
MOST_BYTES = 900_000
"""GitHub drops a step's summary above 1 MiB without saying so."""


def render(tables: RunTables, points: Points) -> str:
    """report.md with what other tools would pass over in silence at its head; cut at a line where it is too long."""
    text = "\n".join([*_absent(points), markdown.render(report(tables))])
    raw = text.encode()
    if len(raw) <= MOST_BYTES:
        return text
    kept = raw[:MOST_BYTES].decode(errors="ignore").rpartition("\n")[0]
    return f"{kept}\n\n> Cut here: the whole report is report.md of the run.\n"


def _absent(points: Points) -> list[str]:
    unfinished = [a for a in points.absent if not a.metric]
    if not unfinished:
        return []
    lines = [f"> **{len(unfinished)} of {fmt.count(points.benchmarks, 'benchmark')} did not finish all fits** "
             "and have no values in the exported files:"]  # fmt: skip
    lines += [f"> - {_line(a)}" for a in unfinished[:NAMED]]
    if len(unfinished) > NAMED:
        lines.append(f"> - and {len(unfinished) - NAMED} more, below")
    return [*lines, ""]


def _line(absent: Absent) -> str:
    return f"{escape(absent.benchmark)}: {escape(fmt.shortened(absent.reason, 300))}"

"""A calibration as Markdown, and as the table at the end in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.calibration.verdict import Verdict
from bench.present import gfm
from bench.present.calibration import COLUMNS, METHOD, QUANTITY_COLUMNS, Calibration, Column, Item, remarks
from bench.present.gfm import escape


def terminal(report: Calibration) -> RenderableType:
    """A rich renderable: a row per backend under its scenario, then a sentence for each that is not calibrated."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    longest = max(len(label) for v in report.verdicts for label in (v.scenario, f"  {v.backend}"))
    table.add_column(COLUMNS[0].title, overflow="fold", min_width=min(longest, 40))
    table.add_column(COLUMNS[1].title, overflow="fold")
    for column in COLUMNS[2:]:
        table.add_column(column.title, justify="right", no_wrap=True)
    for scenario, verdicts in report.scenarios.items():
        table.add_row(Text(scenario, style="bold"))
        for verdict in verdicts:
            styles = ["yellow" if column.off(verdict) else "" for column in COLUMNS]
            backend, *texts = (column.text(verdict) for column in COLUMNS)
            table.add_row(*map(Text, (f"  {backend}", *texts), styles))
    lines = [Text(f"{v.scenario} × {v.backend}: {v.sentence}") for v in report.verdicts if v.state != "calibrated"]
    known = {v.sentence for v in report.verdicts}
    lines += [Text(f"{where}: {what}: {why}") for where, what, why in report.failures if why not in known]
    lines += [Text(warning) for warning in report.warnings()]
    note = Text("per cent of true values inside central intervals (mean over parameters, 95 % Wilson interval)")
    return Group(table, note, *([Text(""), *lines] if lines else []))


def markdown(report: Calibration) -> str:
    """GitHub-flavoured Markdown; the same verdicts give the same bytes."""
    lines = ["# Calibration", "", escape(report.context()), ""]
    lines += [f"> {escape(warning)}" for warning in report.warnings()] + [""]
    for scenario, verdicts in report.scenarios.items():
        lines += [f"## {escape(scenario)}", "", *_about(report, scenario)]
        lines += _table(COLUMNS, verdicts)
        for verdict in verdicts:
            lines += ["", f"**{escape(verdict.backend)}** is {escape(verdict.sentence)}." if verdict.ranked else ""]
            lines += _quantities(verdict)
        lines.append("")
    lines += ["## Failures", ""]
    lines += [f"- {escape(w)}: **{escape(what)}**: {escape(why)}" for w, what, why in report.failures] or [
        "None: every data set was fitted."
    ]
    lines += ["", "## Method", "", *(f"- {escape(sentence)}" for sentence in METHOD), "", "## Environment", ""]
    facts = ([escape(name), escape(value)] for name, value in report.environment())
    lines += [f"    {report.command()}", "", *gfm.table(("", ""), facts, "ll")]
    return "\n".join(lines) + "\n"


def _about(report: Calibration, scenario: str) -> list[str]:
    about = report.run.scenarios[scenario]
    return [escape(f"{about.description}. Priors: {about.priors_text}."), ""]


def _quantities(verdict: Verdict) -> list[str]:
    if verdict.ranked is None:
        return []
    table = _table(QUANTITY_COLUMNS, verdict.ranked.quantities)
    return [" ".join(map(escape, remarks(verdict))), "", *table]


def _table(columns: Sequence[Column[Item]], items: Sequence[Item]) -> list[str]:
    rows = ([escape(column.text(item)) for column in columns] for item in items)
    return gfm.table([escape(column.title) for column in columns], rows, "ll" + "r" * (len(columns) - 2))

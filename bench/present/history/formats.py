"""A history for the terminal, as GitHub-flavoured Markdown short enough for a comment, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.comparison.measures import Measure
from bench.comparison.series import Series
from bench.present import gfm, plain
from bench.present.gfm import escape
from bench.present.history import html, words
from bench.words import format as fmt
from bench.words.clean import clean

SCHEMA = 1
SHOWN = 12
"""Runs of each series listed in the terminal, the latest."""
LINE = 60
"""Bars of a sparkline, the latest."""


def render(series: Sequence[Series], measure: Measure, form: str, *, level: float, everything: bool, code: int) -> str:
    """The history in a format: text, markdown, json or html; `everything` is every run of every series."""
    if form == "json":
        return json.dumps(document(series, measure, level=level, code=code), indent=1, allow_nan=False) + "\n"
    if form == "html":
        return html.render(series, measure, level=level)
    return (text if form == "text" else markdown)(series, measure, level=level, everything=everything)


def text(series: Sequence[Series], measure: Measure, *, level: float, everything: bool) -> str:
    """A block per series: how it went, its steps, its latest runs (or all); series without a value are counted."""
    blocks = [words.headline(series, measure)]
    shown = [one for one in series if one.measured or everything]
    for one in shown:
        lines = [f"{clean(one.name)} · {fmt.count(len(one.points), 'run')} on {clean(one.machine)}"]
        if one.measured:
            lines.append(f"  {words.sparkline(one)[-LINE:]}")
        lines += [f"  {words.step(measure, one, change)}" for change in one.steps]
        first = 0 if everything else max(len(one.points) - SHOWN, 0)
        lines += [f"  … {fmt.count(first, 'earlier run')}; --all lists them"] if first else []
        rows = [(">" if i in one.starts else " ", *words.run(measure, p)) for i, p in enumerate(one.points)]
        lines += [f"  {line}" for line in plain.table(rows[first:])]
        blocks.append("\n".join(lines))
    if without := len(series) - len(shown):
        blocks.append(f"No run has a value in {without} of the series; --all lists them")
    return "\n\n".join([*blocks, words.method(level)]) + "\n"


def markdown(series: Sequence[Series], measure: Measure, *, level: float, everything: bool) -> str:
    """Headline, steps, a row per series; runs of each under folds with `everything`; cut where it is too long."""
    ordered = words.gravest_first(series)

    def written(kept: int) -> str:
        shown = ordered[:kept]
        lines = [f"### {escape(words.headline(series, measure))}", ""]
        steps = [f"- {escape(one.name)}: {escape(words.step(measure, one, s))}" for one in shown for s in one.steps]
        lines += [*steps, ""] if steps else []
        titles = ("cell", "machine", "runs", "first", "latest", "95 %", "steps")
        lines += gfm.table(titles, (_row(one, measure) for one in shown), "llrrrrr")
        if cut := len(series) - kept:
            lines += ["", f"*{fmt.count(cut, 'more row')} cut here for length; `--format json` has all.*"]
        for one in shown if everything else ():
            runs = [[*map(escape, words.run(measure, p))] for p in one.points]
            lines += gfm.fold(escape(one.name), gfm.table(words.RUN, runs, "lllrr"))
        return "\n".join([*lines, "", f"*{escape(words.method(level))}*"]) + "\n"

    return gfm.cut(len(series), written)


def _row(one: Series, measure: Measure) -> list[str]:
    first = fmt.quantity(one.measured[0].value, measure.unit) if one.measured else fmt.NONE
    *_, latest, interval = words.run(measure, one.points[-1])
    return [*map(escape, (one.name, one.machine, str(len(one.points)), first, latest, interval)), str(len(one.steps))]


def document(series: Sequence[Series], measure: Measure, *, level: float, code: int) -> dict[str, Any]:
    """Every series with all its points, in full precision; `exit` is the exit code."""
    return {
        "schema": SCHEMA,
        "metric": measure.name,
        "unit": measure.unit,
        "better": "lower" if measure.lower_is_better else "higher",
        "scale": measure.scale,
        "threshold": measure.threshold,
        "false_alarm_level": level,
        "headline": words.headline(series, measure),
        "exit": code,
        "series": [{**asdict(one), "ends_worse": one.ends_worse} for one in series],
    }

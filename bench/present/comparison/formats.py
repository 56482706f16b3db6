"""A comparison as plain text, as GitHub-flavoured Markdown short enough for a comment, and as JSON."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Sequence
from typing import Any

from bench.comparison.rows import Comparison, Row, Warned
from bench.present import gfm, plain
from bench.present.comparison import words
from bench.present.gfm import escape
from bench.words import format as fmt

SCHEMA = 1
PLAIN = ("cell", "scenario", "backend", "metric", "verdict", "regression", "advisory", "scale", "unit", "threshold")
"""Fields of a row that JSON takes as they are."""
UNITS = ("paired", "n_a", "n_b", "p_value")
"""Fields of a row's estimate."""


def render(comparison: Comparison, form: str, *, everything: bool, code: int, sides: Sequence[str] = ()) -> str:
    """The comparison in a format; `everything` is every row (JSON has them all), `sides` what A and B are of `ab`."""
    if form == "json":
        fields = document(comparison, code=code) | ({"sides": list(sides)} if sides else {})
        return json.dumps(fields, indent=1, allow_nan=False) + "\n"
    lead = "A is {}, B is {}\n\n".format(*sides) if sides else ""
    return lead + (text if form == "text" else markdown)(comparison, everything=everything)


def text(comparison: Comparison, *, everything: bool) -> str:
    """Headline, what differs, the rows, counts, warnings; the same comparison gives the same text."""
    rows = words.shown(comparison, everything=everything)
    lines = [words.headline(comparison), "", f"A = {comparison.a}, B = {comparison.b}", *words.provenance(comparison)]
    lines += ["", *(_plain(rows) if rows else [])]
    hidden = len(comparison.rows) - len(rows)
    lines.append(words.counted(comparison) + (f"; {fmt.count(hidden, 'row')} not shown (--all)" if hidden else ""))
    if comparison.tests:
        lines += ["", *textwrap.wrap(words.method(comparison), 116)]
    for warning in comparison.warnings:
        lines += ["", f"warning: {warning.text}"]
        # A command is left on its line, to be copied whole.
        lines += [f"  {warning.lead[:1].lower()}{warning.lead[1:]}: {warning.command}"] if warning.command else []
    return "\n".join(lines) + "\n"


def _plain(rows: list[Row]) -> list[str]:
    cells = [(r.verdict + (" !" if r.regression else ""), r.metric, *words.numbers(r), r.name) for r in rows]
    head, *lines = plain.table([("verdict", "metric", *words.NUMBERS, "cell"), *cells])
    remarks = [[f"    {fmt.shortened(remark.splitlines()[0])}"] if (remark := words.remarks(r)) else [] for r in rows]
    return [head, *(x for line, below in zip(lines, remarks, strict=True) for x in (line, *below)), ""]


def markdown(comparison: Comparison, *, everything: bool) -> str:
    """Headline and the rows that changed, or all rows with `everything`; what is too long is cut with a word."""
    rows = words.shown(comparison, everything=everything)
    return gfm.cut(len(rows), lambda kept: _markdown(comparison, rows[:kept], len(rows) - kept))


def _markdown(comparison: Comparison, rows: list[Row], cut: int) -> str:
    lines = [gfm.MARKER, f"**{escape(words.headline(comparison))}**", ""]
    lines += [f"A = {escape(comparison.a)}, B = {escape(comparison.b)}"]
    lines += [f"- {escape(line)}" for line in words.provenance(comparison)]
    if rows:
        lines += ["", *gfm.table(("cell", "metric", "verdict", *words.NUMBERS, ""), map(_cells, rows), "lllrrrrl")]
    lines += [f"*{fmt.count(cut, 'row')} more cut here; `--format json` has them all.*"] if cut else []
    lines += ["", escape(words.counted(comparison))]
    lines += ["", f"*{escape(words.method(comparison))}*"] if comparison.tests else []
    lines += [""] if comparison.warnings else []
    return "\n".join([*lines, *(f"> {_warning(w)}\n" for w in comparison.warnings)]).rstrip("\n") + "\n"


def _warning(warning: Warned) -> str:
    """The command as code: what is escaped cannot be copied."""
    following = f" {escape(warning.lead)}: {gfm.code(warning.command)}" if warning.command else ""
    return f"{escape(warning.text)}{following}"


def _cells(row: Row) -> list[str]:
    verdict = f"**{row.verdict}**" if row.regression else row.verdict
    rest = (*words.numbers(row), fmt.shortened(words.remarks(row)))
    return [escape(row.name), escape(row.metric), verdict, *map(escape, rest)]


def document(comparison: Comparison, *, code: int) -> dict[str, Any]:
    """Every row whatever its verdict, in full precision; `exit` is the exit code; what is infinite is null."""
    return {
        "schema": SCHEMA,
        "a": comparison.a,
        "b": comparison.b,
        "outcome": comparison.outcome,
        "exit": code,
        "headline": words.headline(comparison),
        "cells": comparison.cells,
        "level": comparison.level,
        "tests": comparison.tests,
        "counts": comparison.counts(),
        "machine": list(comparison.machine),
        "harness": list(comparison.harness),
        "versions": list(comparison.versions),
        "fail_on": list(comparison.gates),
        "unchecked": list(comparison.unchecked),
        "warnings": [str(warning) for warning in comparison.warnings],
        "rows": [_row(row) for row in comparison.rows],
    }


def _row(row: Row) -> dict[str, Any]:
    low, high = row.interval or (None, None)
    numbers = {"a": row.a, "b": row.b, "change": row.change, "low": low, "high": high, "hides": row.hides}
    return {
        **{name: getattr(row, name) for name in PLAIN},
        **{name: x if x is not None and math.isfinite(x) else None for name, x in numbers.items()},
        "per": row.per,
        **{name: getattr(row.estimate, name, None) for name in UNITS},
        "reason": row.reason,
        "flags": list(row.flags),
    }

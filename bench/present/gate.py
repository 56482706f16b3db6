"""A gate's verdict as text, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bench.comparison.gate import Verdict
from bench.present.comparison import formats
from bench.present.gfm import escape
from bench.words import format as fmt
from bench.words.clean import clean

SCHEMA = 1
NAMED = 20
"""Benchmarks that are named before the rest are counted."""


def headline(verdict: Verdict) -> str:
    """`bench gate: regression (exit code 1): …`, always the same form."""
    return f"bench gate: {verdict.outcome} (exit code {verdict.code}): {clean(verdict.reason)}"


def render(verdict: Verdict, *, form: str, everything: bool = False) -> str:
    """Headline, what is absent, then the comparison; `form` is text, markdown or json."""
    if form == "json":
        return json.dumps(as_json(verdict), indent=1, allow_nan=False) + "\n"
    lines = [headline(verdict), *about(verdict)]
    if form == "markdown":
        lines = [f"**{escape(lines[0])}**", "", *(f"- {escape(line)}" for line in lines[1:])]
    if verdict.comparison is not None:
        lines += ["", formats.render(verdict.comparison, form, everything=everything, code=verdict.code)]
    return "\n".join(lines) + ("\n" if verdict.comparison is None else "")


def about(verdict: Verdict) -> list[str]:
    """What pytest-benchmark would pass over: benchmarks that failed, are gone, are new, or were left out."""
    groups: tuple[tuple[str, Sequence[str]], ...] = (
        ("failed", [f"{name} ({why})" for name, why in verdict.failed]),
        ("in the baseline, but not in this run", verdict.absent),
        ("not in the baseline", verdict.new),
        ("in the baseline, deselected here", verdict.deselected),
    )
    return [f"{what}: {clean(fmt.some(names, NAMED))}" for what, names in groups if names]


def as_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict as a document: full precision, no NaN, no infinity."""
    comparison = verdict.comparison
    return {
        "schema": SCHEMA,
        "outcome": verdict.outcome,
        "exit": verdict.code,
        "reason": verdict.reason,
        "baseline": verdict.baseline,
        "missing": list(verdict.absent),
        "new": list(verdict.new),
        "deselected": list(verdict.deselected),
        "failed": dict(verdict.failed),
        "regressions": [f"{r.name}: {r.metric or 'missing'}" for r in comparison.regressions] if comparison else [],
        "comparison": formats.document(comparison, code=verdict.code) if comparison else None,
    }

"""A verdict as text, as Markdown and as a JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.compare.gate import Verdict
from bench.present.comparison import document, markdown, text
from bench.present.gfm import escape
from bench.words.clean import clean

SCHEMA = 1
NAMED = 20
"""Benchmarks that are named before the rest are counted."""


def headline(verdict: Verdict) -> str:
    """`bench gate: regression (exit code 1): …`, always the same form."""
    return f"bench gate: {verdict.outcome} (exit code {verdict.code}): {clean(verdict.reason)}"


def render(verdict: Verdict, *, form: str, everything: bool = False) -> str:
    """Headline, what is absent, then the comparison; `form` is text or markdown."""
    lines = [headline(verdict), *about(verdict)]
    if form == "markdown":
        lines = [f"**{escape(lines[0])}**", "", *(f"- {escape(line)}" for line in lines[1:])]
    if verdict.comparison is None:
        return "\n".join(lines) + "\n"
    body = (text if form == "text" else markdown).render(verdict.comparison, everything=everything)
    return "\n".join([*lines, "", body])


def about(verdict: Verdict) -> list[str]:
    """What pytest-benchmark would pass over: benchmarks that failed, are gone, are new, or were left out."""
    failed = [f"{name} ({why})" for name, why in verdict.failed]
    groups: tuple[tuple[str, Sequence[str]], ...] = (
        ("failed", failed),
        ("in the baseline, but not in this run", verdict.absent),
        ("not in the baseline", verdict.new),
        ("in the baseline, deselected here", verdict.deselected),
    )
    return [f"{what}: {clean(_listed(names))}" for what, names in groups if names]


def as_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict as a document: full precision, no NaN, no infinity."""
    made = verdict.comparison
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
        "regressions": [f"{row.name}: {row.metric or 'missing'}" for row in made.regressions] if made else [],
        "comparison": document.render(made, code=verdict.code) if made else None,
    }


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more

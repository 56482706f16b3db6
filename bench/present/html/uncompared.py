"""What took no part in a comparison of seconds, by reason and name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.analysis.contender import OUTCOMES
from bench.analysis.sections import Row, Section
from bench.words import format as fmt

NAMED = 12
WITHOUT_VERDICT = {
    "not enough": "met the target, with too few reps or rounds to compare",
    "not trusted": "met the target, on a machine that was not quiet",
}


class Uncompared(NamedTuple):
    """A reason in words, how many cells, and their names, the rest counted."""

    reason: str
    cells: int
    names: str


def uncompared(sections: Sequence[Section]) -> list[Uncompared]:
    """Every cell without a ratio, grouped; the reference apart."""
    by_reason: dict[tuple[str, str], dict[str, list[str]]] = {}
    for section in sections:
        for row in section.rows:
            if reason := _reason(section, row):
                by_reason.setdefault(reason, {}).setdefault(row.label, []).append(section.title)
    order = [*OUTCOMES.values(), *by_reason]
    counts = {reason: sum(map(len, cells.values())) for reason, cells in by_reason.items()}
    return [
        Uncompared(reason[counts[reason] > 1], counts[reason], _named(by_reason[reason]))
        for reason in sorted(by_reason, key=order.index)
    ]


def _reason(section: Section, row: Row) -> tuple[str, str] | None:
    """Words for one cell and for several; None where it has a ratio."""
    if row.state == "reference":
        return "is the reference itself", "are the reference itself"
    if row.state != "met":
        return OUTCOMES[row.state]
    if row.label in section.verdict.compared:
        return None
    if section.verdict.state == "only one":
        return ("met the target alone",) * 2
    return (WITHOUT_VERDICT.get(section.verdict.state, "met the target, without a verdict"),) * 2


def _named(cells: Mapping[str, list[str]]) -> str:
    names = [
        f"{label} on {titles[0] if len(titles) == 1 else fmt.count(len(titles), 'scenario')}"
        for label, titles in cells.items()
    ]
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {fmt.count(rest, 'more backend')}" if rest > 0 else "")


def summary(sections: Sequence[Section]) -> str:
    """How many cells have a ratio or lead, of all, in one sentence."""
    ranked = sum(len(s.verdict.compared) for s in sections)
    cells = fmt.count(sum(len(section.rows) for section in sections), "cell")
    return f"{ranked} of {cells} took part in a comparison of seconds."

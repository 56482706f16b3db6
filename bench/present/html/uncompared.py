"""What took no part in a comparison of seconds, by reason and name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.analysis.contender import OUTCOMES
from bench.analysis.sections import Section
from bench.words import format as fmt

NAMED = 12


class Uncompared(NamedTuple):
    """A reason in words, how many cells, and their names, the rest counted."""

    reason: str
    cells: int
    names: str


def uncompared(found: Sequence[Section]) -> list[Uncompared]:
    """Every cell without a ratio, grouped; the reference apart."""
    by_reason: dict[tuple[str, str], dict[str, list[str]]] = {}
    for section in found:
        for row in section.rows:
            if reason := _reason(section, row.label, row.state):
                by_reason.setdefault(reason, {}).setdefault(row.label, []).append(section.title)
    words = [*OUTCOMES.values(), *by_reason]
    made = []
    for reason in sorted(by_reason, key=words.index):
        count = sum(map(len, by_reason[reason].values()))
        made.append(Uncompared(reason[count > 1], count, _named(by_reason[reason])))
    return made


def _reason(section: Section, label: str, state: str) -> tuple[str, str] | None:
    """Words for one cell and for several; None where it has a ratio."""
    if state == "reference":
        return "is the reference itself", "are the reference itself"
    if state != "met":
        return OUTCOMES[state]
    if label in section.verdict.best_group or label in section.verdict.ratios:
        return None if section.verdict.ratios else ("met the target alone", "met the target alone")
    said = {
        "not enough": "met the target, with too few reps or rounds to compare",
        "not trusted": "met the target, on a machine that was not quiet",
    }.get(section.verdict.state, "met the target, without a verdict")
    return said, said


def _named(by_label: Mapping[str, list[str]]) -> str:
    names = [
        f"{label} on {where[0] if len(where) == 1 else fmt.count(len(where), 'scenario')}"
        for label, where in by_label.items()
    ]
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {fmt.count(rest, 'more backend')}" if rest > 0 else "")


def total(found: Sequence[Section]) -> tuple[int, int]:
    """(cells that have a ratio or lead, all cells)."""
    ranked = sum(len({*s.verdict.ratios, s.verdict.leader}) for s in found if s.verdict.ratios)
    return ranked, sum(len(section.rows) for section in found)


def summary(found: Sequence[Section]) -> str:
    """One sentence with the denominator."""
    ranked, cells = total(found)
    return f"{ranked} of {fmt.count(cells, 'cell')} took part in a comparison of seconds."

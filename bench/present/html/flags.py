"""Failures and warnings as numbered flags: which backend has which on which scenario."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.analysis.contender import OUTCOMES
from bench.analysis.sections import Row, Section
from bench.present.html.results import Entry
from bench.words import format as fmt
from bench.words.clean import clean

MOST_ROWS, MOST_COLUMNS = 40, 20

GATES: tuple[tuple[str, str], ...] = (
    (r"R-hat", "R-hat too high, or none could be computed"),
    (r"(bulk|tail) ESS", "too few effective draws"),
    (r"divergences", "divergent transitions"),
    (r"largest tree depth", "transitions at the largest tree depth"),
    (r"E-BFMI", "E-BFMI too low"),
    (r"never moves", "a chain that never moves"),
    (r"k-hat", "k-hat too high, or none: q misses a part of the posterior"),
    (r"on a bound of the support", "draws of q on a bound of the support"),
    (r"answer off|Monte-Carlo errors too large", "disagrees with the reference by more than its Monte-Carlo error"),
    (r"its own objective", "did not end at the optimum of its own objective"),
)
"""What a failed diagnostic's sentence is told by, and the flag's words."""
NOTES: tuple[tuple[str, str], ...] = (
    (r"^disturbed:", "other work on the machine during a fit"),
    (r"^compiled for", "compiled inside a warm rep; booked as compile"),
    (r"^its program was compiled in an earlier", "no cold seconds: its program was compiled before"),
    (r"", "the backend has a note on its fits"),
)
STATES = {
    state: words[0] for state, words in OUTCOMES.items() if state not in ("not converged", "point", "off target")
} | {"off target": "finished off the error target"}


@dataclass(frozen=True)
class Flags:
    """`key` numbers the flags from 1; `rows` are backends with the flags of each of `columns`, scenarios."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[int, ...], ...]], ...]
    key: tuple[tuple[int, str, int], ...]
    left_out: str = ""


def flags(found: Sequence[Section]) -> Flags:
    """The matrix of all sections; rows and columns without a flag are left out."""
    told = {(row.label, s.title): list(dict.fromkeys(of_row(row))) for s in found for row in s.rows}
    words = [*STATES.values(), *(text for _, text in GATES), *(text for _, text in NOTES)]
    counts = {text: sum(text in mine for mine in told.values()) for text in words}
    number = {text: i for i, text in enumerate((t for t in words if counts[t]), 1)}
    backends = list(dict.fromkeys(name for (name, _), mine in told.items() if mine))
    scenarios = list(dict.fromkeys(title for (_, title), mine in told.items() if mine))
    shown, across = backends[:MOST_ROWS], scenarios[:MOST_COLUMNS]
    rows = tuple((n, tuple(tuple(sorted(number[t] for t in told.get((n, s), ()))) for s in across)) for n in shown)
    return Flags(tuple(across), rows, tuple((i, t, counts[t]) for t, i in number.items()), _left(backends, scenarios))


def _left(backends: list[str], scenarios: list[str]) -> str:
    over = [
        fmt.count(len(names) - most, noun)
        for names, most, noun in ((backends, MOST_ROWS, "backend"), (scenarios, MOST_COLUMNS, "scenario"))
        if len(names) > most
    ]
    return f"{fmt.listed(over)} with flags stand in the list below only." if over else ""


def of_row(row: Row) -> Iterator[str]:
    """The flags of a row, in words."""
    if row.state in STATES:
        yield STATES[row.state]
    if row.state in ("not converged", "point"):
        yield from (failed_gate(sentence) or STATES["failed"] for sentence in row.reason.split("; ") if sentence)
    for note in row.tables.notes:
        yield next(text for pattern, text in NOTES if re.search(pattern, note))


class Failed(NamedTuple):
    """A backend's failure with its reason, and where: (scenario, number of the row)."""

    label: str
    state: str
    reason: str
    where: tuple[tuple[str, int], ...]


MOST_FAILED = 100


def failed(entries: Sequence[Entry]) -> list[Failed]:
    """Every row that is neither ranked nor meant not to be; the same failure on several scenarios once."""
    grouped: dict[tuple[str, str, str], list[tuple[str, int]]] = {}
    for e in entries:
        if e.row.state not in ("met", "reference", "point"):
            reason = clean(e.row.reason) or "no reason was recorded"
            grouped.setdefault((e.row.label, e.row.state, reason), []).append((e.section.title, e.number))
    return [Failed(*what, tuple(where)) for what, where in grouped.items()]


def failed_gate(sentence: str) -> str:
    """The words of the diagnostic that a reason is about; empty for none of them."""
    return next((text for pattern, text in GATES if re.search(pattern, sentence)), "")

"""Failures and warnings as numbered flags: which backend has which on which scenario."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.analysis.contender import OUTCOMES
from bench.analysis.sections import QUIET, Row, Section
from bench.present.cells import status_words
from bench.present.html.results import Entry
from bench.words import format as fmt
from bench.words.clean import clean

MOST_ROWS, MOST_COLUMNS = 40, 20
MOST_FAILED = 100

GATES = {
    "r_hat": "R-hat too high, or none could be computed",
    "ess": "too few effective draws",
    "divergences": "divergent transitions",
    "e_bfmi": "E-BFMI too low",
    "stuck": "a chain that never moves",
    "k_hat": "k-hat too high, or none: q misses a part of the posterior",
    "support": "draws of q on a bound of the support",
    "agreement": "disagrees with the reference by more than its Monte-Carlo error",
    "optimum": "did not end at the optimum of its own objective",
}
"""The flag of a diagnostic that does not hold, by its key."""
WARNINGS = {
    "divergences": "few divergent transitions: a warning",
    "treedepth_hits": "transitions at the largest tree depth, which cost time: a warning",
}
"""The flag of a diagnostic that holds and warns."""
NOTES = {
    "disturbed:": "other work on the machine during a fit",
    "compiled for": "compiled inside a warm rep; booked as compile",
    "its program was compiled in an earlier": "no cold seconds: its program was compiled before",
    "": "the backend has a note on its fits",
}
"""The flag of a note, by how it begins; any other is the backend's own."""
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


def flags(sections: Sequence[Section]) -> Flags:
    """The matrix of all sections; rows and columns without a flag are left out."""
    by_cell = {(row.label, s.title): set(_of_row(row)) for s in sections for row in s.rows}
    words = [*STATES.values(), *GATES.values(), *WARNINGS.values(), *NOTES.values()]
    counts = {text: sum(text in texts for texts in by_cell.values()) for text in words}
    number = {text: i for i, text in enumerate((t for t in words if counts[t]), 1)}
    backends, scenarios = (list(dict.fromkeys(key[i] for key, texts in by_cell.items() if texts)) for i in (0, 1))
    columns = tuple(scenarios[:MOST_COLUMNS])
    rows = tuple(
        (name, tuple(tuple(sorted(number[text] for text in by_cell.get((name, title), ()))) for title in columns))
        for name in backends[:MOST_ROWS]
    )
    over = [
        fmt.count(len(names) - most, noun)
        for names, most, noun in ((backends, MOST_ROWS, "backend"), (scenarios, MOST_COLUMNS, "scenario"))
        if len(names) > most
    ]
    left_out = f"{fmt.listed(over)} with flags stand in the list below only." if over else ""
    return Flags(columns, rows, tuple((i, text, counts[text]) for text, i in number.items()), left_out)


def _of_row(row: Row) -> Iterator[str]:
    """The flags of a row, in words."""
    if row.state in STATES:
        yield STATES[row.state]
    if row.state in ("not converged", "point"):
        yield from (GATES[gate.key] for gate in row.diagnostics if not gate.holds and gate.key in GATES)
    yield from (WARNINGS[gate.key] for gate in row.diagnostics if gate.holds and gate.warning)
    for note in row.tables.notes:
        yield next(text for beginning, text in NOTES.items() if note.startswith(beginning))


class Failed(NamedTuple):
    """A backend's failure or warning with its reason, and where: (scenario, number of the row)."""

    label: str
    words: str
    reason: str
    where: tuple[tuple[str, int], ...]


def failed(entries: Sequence[Entry]) -> list[Failed]:
    """Every row that is ranked with a warning, or neither ranked nor meant not to be; the same on several scenarios
    once."""
    grouped: dict[tuple[str, str, str], list[tuple[str, int]]] = {}
    for e in entries:
        if e.row.state not in QUIET or e.row.warning:
            reason = clean(e.row.reason or e.row.warning) or "no reason was recorded"
            grouped.setdefault((e.row.label, status_words(e.row), reason), []).append((e.section.title, e.number))
    return [Failed(*what, tuple(where)) for what, where in grouped.items()]

"""Scenarios × backends: how near the best each backend is on a scenario, and what it achieved over all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from bench.analysis.sections import Row, Section, contender
from bench.analysis.verdict import timed
from bench.stats.ratios import Ratio, ratios

NEAR, FAR = 1.5, 2.0
"""Ratios up to which a backend that is slower than the best group counts as near it, and as not far from it."""


class Tally(NamedTuple):
    """What became of some cells, as counts.

    `ranked` could be, `compared` lie in a section with a leader, `best` are in its best group; `ratios` to the leader
    with the title of their section, ascending.
    """

    ranked: int
    applicable: int
    met: int
    compared: int
    best: int
    leads: int
    ratios: tuple[tuple[float, str], ...]


def tally(cells: Iterable[tuple[Section, Row]], question: str) -> Tally:
    """The counts of these rows, each with its section, as to one question."""
    cells = list(cells)
    return Tally(
        ranked=sum(row.group == "posterior" for _, row in cells),
        applicable=sum(row.state not in ("unsupported", "unavailable") for _, row in cells),
        met=sum(row.state == "met" for _, row in cells),
        compared=sum(bool(section.answer(question).leader) for section, _ in cells),
        best=sum(section.in_best_group(row, question) for section, row in cells),
        leads=sum(section.leads(row, question) for section, row in cells),
        ratios=tuple(sorted((r.value, s.title) for s, row in cells if (r := s.ratio(row, question)) is not None)),
    )


def nearness(section: Section, row: Row, question: str) -> str:
    """`best` of the best group, `near`, `far`, or empty; a row without a ratio is `best` only where it leads."""
    if section.in_best_group(row, question):
        return "best"
    ratio = section.ratio(row, question)
    if ratio is None or ratio.value > FAR:
        return ""
    return "near" if ratio.value <= NEAR else "far"


def columns_of(sections: Sequence[Section]) -> Callable[[Row], str]:
    """What the column of a row is called: its bare backend's name where that is unambiguous in every scenario."""
    ambiguous = {
        backend
        for section in sections
        for backend, times in Counter(row.backend for row in section.rows).items()
        if times > 1
    }
    # Where runs stand side by side a label names its run, and so does its column.
    side_by_side = {row.cell for s in sections if len({row.run for row in s.rows}) > 1 for row in s.rows}
    return lambda row: row.label if row.cell in side_by_side or row.backend in ambiguous else row.backend


def by_column(sections: Sequence[Section]) -> dict[str, list[tuple[Section, Row]]]:
    """{column: its rows, at most one of each section} of what can be ranked: no point estimates, no reference.

    Nor what is available on no scenario: the report says that once.
    """
    name = columns_of(sections)
    cells: dict[str, list[tuple[Section, Row]]] = {}
    for section in sections:
        for row in section.group("posterior"):
            cells.setdefault(name(row), []).append((section, row))
    return {name: column for name, column in cells.items() if any(row.state != "unavailable" for _, row in column)}


def pairs(section: Section, question: str) -> dict[str, dict[str, Ratio]]:
    """{baseline: {backend: ratio of its seconds to the baseline's}} of all that were compared; else empty.

    As the ratios to the leader: paired over rounds, with intervals for all comparisons with one baseline at once.
    """
    if not section.answer(question).ratios:
        return {}
    times = timed([contender(row, section.finish) for row in section.rows if row.state == "met"], question)
    return {base: ratios(times[base], {k: t for k, t in times.items() if k != base}) for base in times}

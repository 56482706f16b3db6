"""What stands above the fold for each scenario: verdict, how sure, and what became of those without a ratio."""

from __future__ import annotations

from typing import NamedTuple

from bench.analysis.contender import CHOSEN, QUESTIONS
from bench.analysis.sections import STATES, Row, Section
from bench.present.cells import WORDS, icon
from bench.present.html.results import Results
from bench.words import format as fmt
from bench.words.clean import clean

BADGES = {
    "clear": "clear difference",
    "size unsure": "faster, by how much is unsure",
    "small": "difference below the margin",
    "equivalent": "equally fast",
    "no difference shown": "no difference shown",
    "trade-off": "trade-off",
    "only one": "only one met the target",
    "none": "target not met",
    "not enough": "too few measurements",
    "not trusted": "machine not quiet",
}
"""How sure the verdict is, in a word or two."""
ORIENTATION = "For orientation: medians, not ranked"
HEADINGS = {"not enough": ORIENTATION, "not trusted": ORIENTATION}
SHOWN = 7


class Other(NamedTuple):
    """A backend that has no ratio: its sign, name, what became of it, and its row's number."""

    icon: str
    label: str
    words: str
    number: int


class Front(NamedTuple):
    """One scenario's answer; `more` counts the others that are not shown."""

    section: Section
    badge: str
    sure: bool
    others: tuple[Other, ...]
    heading: str
    more: int


def front(section: Section, table: Results) -> Front:
    """The answer on one scenario."""
    verdict = section.verdict
    inside = verdict.compared
    rest = [entry for entry in table.of(section) if entry.row.label not in inside]
    rest.sort(key=lambda entry: _rank(entry.row))
    others = tuple(_other(entry.row, entry.number) for entry in rest)
    return Front(
        section,
        _badge(section),
        all(answer.state in ("clear", "size unsure", "trade-off") for answer in verdict.answers.values()),
        others[:SHOWN],
        "Not ranked" if inside else HEADINGS.get(verdict.state, "What became of each"),
        len(others) - SHOWN,
    )


def _badge(section: Section) -> str:
    state = section.verdict.state
    if state != "split":
        return BADGES[state]
    return "; ".join(
        f"{QUESTIONS[q]}: {clean(answer.leader) if answer.state in CHOSEN else BADGES[answer.state]}"
        for q, answer in section.verdict.answers.items()
    )


def _rank(row: Row) -> tuple[int, float, str]:
    # What was meant to be ranked comes before what never is.
    never = row.state in ("point", "reference")
    return STATES.index(row.state) + len(STATES) * never, float("inf") if row.warm is None else row.warm, row.label


def _other(row: Row, number: int) -> Other:
    words = WORDS[row.state]
    if row.state in ("off target", "met", "point"):
        words += f", error {row.shown_error}" if row.b2_max is not None else ""
    elif row.reason and row.state != "reference":
        words += f": {fmt.shortened(clean(row.reason).splitlines()[0], 60)}"
    if row.whole:
        words += " · " + ", ".join(f"{QUESTIONS[q]} {fmt.seconds(value)}" for q, value in row.whole.items())
    return Other(icon(row.state), clean(row.label), clean(words), number)

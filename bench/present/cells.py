"""What a cell of a table says: words and signs of states, why it is blank, seconds to the target and ratios of them."""

from __future__ import annotations

from dataclasses import dataclass

from bench.analysis.sections import STATES, Row, Section
from bench.words import format as fmt

WORDS = {state: state for state in STATES} | {
    "met": "met target",
    "reference": "reference",
    "point": "point estimate",
    "timeout": "timed out",
    "memory": "out of memory",
    "unsupported": "n/a",
    "unavailable": "not available",
}
ICONS = {
    "met": "check", "reference": "ring", "point": "ring", "unsupported": "dash", "unavailable": "dash",
    "interrupted": "dot", "unchecked": "dot", "timeout": "late", "memory": "cross", "failed": "cross",
    "crashed": "cross", "invalid": "cross",
}  # fmt: skip
"""The drawn sign of a state, which stands beside its word: colour is never the only one. Others have a triangle."""
INDEPENDENT = "draws are independent by construction"
NO_ESS = {"vi": INDEPENDENT, "exact": INDEPENDENT, "point": "a point has no draws"}
NO_WARM = "no warm rep finished"
NOT_RANKED = "not ranked"
NO_REFERENCE = "no reference to be held against"
NO_TRUTH = "the scenario has no truth"
PRORATED = (
    "≈ marks what is not measured but prorated by gradients within one program: a sampler's seconds to the target, and "
    "those of its warmup and sampling where they are compiled together. Ratios of such seconds rest on that too."
)
"""What stands once wherever a value is marked so."""
MEASURED = (
    "Seconds to the target are measured: each fit ran until its own error met it (--until), which takes more draws "
    "than until the mean over fits does."
)
"""What stands once where that is so."""


def status_words(row: Row) -> str:
    """What became of a cell, in a few words."""
    return WORDS[row.state] + (", with a warning" if row.warning and row.state == "met" else "")


def row_icon(row: Row) -> str:
    """The sign of what became of a cell: a warning has that of what is not ranked."""
    return "warn" if row.warning and row.state == "met" else icon(row.state)


def icon(state: str) -> str:
    """The sign of a state, by the name of the page's symbol."""
    return ICONS.get(state, "warn")


@dataclass(frozen=True)
class Cell:
    """Text, a smaller second line, and the number behind it in full precision (None: sorts last).

    `why` is the reason of a blank, for formats that have room to say it in. The page numbers it (`note`) and draws a
    `bar` of 0–100 % of the column's log range.
    """

    text: str
    small: str = ""
    value: float | None = None
    why: str = ""
    note: int = 0
    bar: int = 0


def blank(row: Row, otherwise: str = "not recorded") -> Cell:
    """No value: because no fit finished, or for another reason."""
    return Cell(fmt.NONE, why=otherwise if row.reps else "no fit finished")


def to_target(row: Row, section: Section, question: str) -> Cell:
    """Seconds after which every b² stays below the target; marked where they are prorated."""
    seconds = section.seconds(row, question)
    if seconds is not None:
        whole = "whole fit" if question in section.finish else "measured" if section.measured else ""
        return Cell(fmt.seconds(seconds, about=section.modelled(row, question)), whole, seconds)
    if row.state == "off target":
        return Cell("never", f"floor {row.shown_error}")
    return blank(row, NOT_RANKED if row.state != "met" else "not recorded")


def ratio_to_best(row: Row, section: Section, question: str) -> Cell:
    """Its ratio to the leader, with the interval."""
    if section.leads(row, question):
        return Cell("leader", "", 1.0)
    ratio = section.ratio(row, question)
    if ratio is None:
        return Cell(fmt.NONE, why=NOT_RANKED if section.answer(question).ratios else "nothing was compared")
    return Cell(fmt.times(ratio.value), fmt.interval(ratio.low, ratio.high), ratio.value)

"""What stands above the fold for each scenario: an answer per question, and what became of those without a ratio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bench.analysis.contender import CHOSEN, HOW, MARGIN, QUESTIONS, Answer
from bench.analysis.grammar import worth
from bench.analysis.sections import STATES, Row, Section
from bench.present.cells import WORDS, icon
from bench.present.html.results import Results
from bench.present.reproduce import remedy
from bench.store.manifest import Run
from bench.words import format as fmt
from bench.words.clean import clean
from bench.words.sentence import Sentence

BADGES = {
    "equivalent": "{n} are equally fast",
    "no difference shown": "no clear winner among {n}",
    "only one": "{A} alone met the target",
    "none": "target not met",
    "no reference": "no verdict: no reference posterior",
    "untried": "no verdict: no posterior was fitted",
    "not enough": "no verdict: too few measurements",
    "not trusted": "no verdict: machine not quiet",
}
"""An answer that names no backend to choose, in a word or two."""
ORIENTATION = "For orientation: medians, not ranked"
HEADINGS = {"not enough": ORIENTATION, "not trusted": ORIENTATION}
SHOWN = 7


class Other(NamedTuple):
    """A backend that has no ratio: the sign of its state, its name, what became of it, and its row's number."""

    icon: str
    label: str
    words: str
    number: int


class Card(NamedTuple):
    """An answer: to which question (its key, and in words; empty where one answers both), in short and in a sentence.

    `sure` says how sure it is, `chosen` that it names a backend.
    """

    question: str
    asked: str
    head: str
    chosen: bool
    words: Sentence
    sure: Sentence


class Front(NamedTuple):
    """One scenario's answers; `more` counts the others not shown, `command` is what to do without an answer."""

    section: Section
    cards: tuple[Card, ...]
    command: str
    others: tuple[Other, ...]
    heading: str
    more: int

    @property
    def badge(self) -> str:
        """All answers in a few words."""
        heads = {card.head for card in self.cards}
        return heads.pop() if len(heads) == 1 else "; ".join(f"{QUESTIONS[c.question]}: {c.head}" for c in self.cards)


def front(section: Section, table: Results, run: Run) -> Front:
    """The answers on one scenario."""
    verdict = section.verdict
    inside = verdict.compared
    rest = [e for e in table.of(section) if e.row.label not in inside and e.row.state != "unavailable"]  # said above
    rest.sort(key=lambda entry: _rank(entry.row))
    met = [row.whole for row in section.rows if row.state == "met"]
    least = {q: min(whole[q] for whole in met if q in whole) for q in QUESTIONS if any(q in whole for whole in met)}
    others = tuple(_other(entry.row, entry.number, least) for entry in rest)
    cards = [Card(q, HOW[q], _head(a), a.state in CHOSEN, a.words, a.sure) for q, a in verdict.answers.items()]
    if not inside:
        head = _head(next(iter(verdict.answers.values())))
        cards = [Card("", "", head, verdict.state == "only one", verdict.sentence, ())]
    return Front(
        section,
        tuple(cards),
        clean(remedy(section, run)),
        others[:SHOWN],
        "Not ranked" if inside else HEADINGS.get(verdict.state, "What became of each"),
        len(others) - SHOWN,
    )


def _head(answer: Answer) -> str:
    if answer.state in CHOSEN:
        return clean(answer.leader)
    if answer.state == "small":
        return f"{clean(answer.leader)}, by less than {MARGIN}×"
    if answer.state == "trade-off":
        return f"{clean(answer.leader)}, or {clean(answer.rival)} to be more exact"
    return BADGES[answer.state].format(n=len(answer.best_group), A=clean(answer.leader))


def _rank(row: Row) -> tuple[int, float, str]:
    # What was meant to be ranked comes before what never is.
    never = row.state in ("point", "reference")
    return STATES.index(row.state) + len(STATES) * never, float("inf") if row.warm is None else row.warm, row.label


def _other(row: Row, number: int, least: Mapping[str, float]) -> Other:
    """`least` has the fewest seconds of a whole fit that met the target: whose own take less is said to."""
    words = WORDS[row.state]
    if row.state == "off target" and row.b2_max is not None:
        words += f": {worth(row.b2_max)}, b² {row.shown_error}"
    elif row.state == "point":
        words += ", no uncertainty"
    elif row.state == "reference":
        words += ": draws of the exact posterior"
    elif row.reason and row.state != "met":
        words += f": {clean(row.reason).splitlines()[0]}"
    taken = {q: f"{QUESTIONS[q]} {fmt.seconds(value)}" for q, value in row.whole.items()}
    less = [taken[q] for q in taken if q in least and row.whole[q] < least[q]]
    if less and row.state not in ("met", "reference"):
        words += f" · a shorter whole fit than any that met the target: {', '.join(less)}"
    elif taken:
        words += f" · {', '.join(taken.values())}"
    return Other(icon(row.state), clean(row.label), clean(words), number)

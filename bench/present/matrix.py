"""The decision matrix in words: scenarios × backends, whole or grouped, and what each backend achieved over all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.analysis.contender import QUESTIONS
from bench.analysis.matrix import NEAR, Tally, by_column, columns_of, nearness, pairs, tally
from bench.analysis.sections import Row, Section
from bench.present.cells import WORDS, Cell, to_target
from bench.stats.ratios import Ratio
from bench.words import format as fmt
from bench.words.sentence import Part, Sentence, joined, plain, say

MOST_SCENARIOS, MOST_BACKENDS = 30, 16
"""Beyond these the page's rows are families and its columns frameworks, with counts."""
MOST_PAIRS = 4000
"""Ratios to baselines that a page brings along."""


@dataclass(frozen=True)
class Shade:
    """A matrix cell with the strength of its fill: `best`, `near`, `far`, `aside`, `bad` (of a `state`) or none.

    `label` is whose it is, where it met the target; `warned` is what is ranked with a warning.
    """

    cell: Cell
    fill: str = ""
    state: str = ""
    label: str = ""
    warned: bool = False


@dataclass(frozen=True)
class Matrix:
    """To one question: names of columns, (name, section or None, shades) of rows, footer, and what was grouped."""

    question: str
    columns: list[str]
    rows: list[tuple[str, Section | None, list[Shade]]]
    footer: list[tuple[str, list[str]]]
    note: str = ""


def full(sections: Sequence[Section], question: str) -> Matrix:
    """A row per section and a column per backend; cells are seconds to the target, and nothing else is."""
    columns = by_column(sections)
    places = {(section.title, name): row for name, cells in columns.items() for section, row in cells}
    rows: list[tuple[str, Section | None, list[Shade]]] = []
    for section in sections:
        cells = [places.get((section.title, name)) for name in columns]
        shades = [shade(section, row, question) if row else Shade(Cell("not run")) for row in cells]
        rows.append((section.title, section, shades))
    return Matrix(question, list(columns), rows, _footer(sections, question))


def view(sections: Sequence[Section], question: str) -> Matrix:
    """The matrix in full, or grouped by framework or family with counts where it would be too large."""
    names = list(by_column(sections))
    wide, long = len(names) > MOST_BACKENDS, len(sections) > MOST_SCENARIOS
    if not wide and not long:
        return full(sections, question)
    name: Callable[[Row], str] = (lambda row: row.framework) if wide else columns_of(sections)
    columns = sorted({row.framework for s in sections for row in s.group("posterior")}) if wide else names
    rows: list[tuple[str, Section | None, list[Shade]]] = []
    for title, group in (_families(sections) if long else {s.title: [s] for s in sections}).items():
        cells = [[(s, r) for s in group for r in s.group("posterior") if name(r) == column] for column in columns]
        shades = [_counted(tally(some, question), several=len(group) > 1) for some in cells]
        rows.append((title, None if long else group[0], shades))
    grouped = [f"{len(names)} backends by framework"] * wide + [f"{len(sections)} scenarios by family"] * long
    note = f"Grouped: {' and '.join(grouped)}; a cell counts those that met the target and names the best ratio."
    return Matrix(question, columns, rows, [] if wide else _footer(sections, question), note)


def based(sections: Sequence[Section]) -> dict[str, Any]:
    """Ratios to any baseline, as text: {question: {scenario: {baseline: {backend: (ratio, interval, word)}}}}.

    Empty where there are too many to be sent along.
    """
    found = {q: {s.title: made for s in sections if (made := pairs(s, q))} for q in QUESTIONS}
    if sum(len(one) for by in found.values() for made in by.values() for one in made.values()) > MOST_PAIRS:
        return {}
    return {
        question: {
            title: {base: {k: _against(one[k]) for k in sorted(one, key=one.__getitem__)} for base, one in made.items()}
            for title, made in by.items()
        }
        for question, by in found.items()
    }


def _against(r: Ratio) -> tuple[str, str, str]:
    word = "slower" if r.low > 1 else "faster" if r.high < 1 else "undecided"
    return fmt.times(r.value), fmt.interval(r.low, r.high), word


def overall(sections: Sequence[Section]) -> Sentence:
    """Per question: who is in the best group most often, and the safest choice: the smallest worst ratio among those
    that met every target. No score."""
    if len(sections) < 2 or any(s.apart for s in sections):
        return ()  # runs side by side: one scenario may stand there several times
    once, many = (_overall(sections, question) for question in QUESTIONS)
    if not once and not many:
        return ()
    if plain(once) == plain(many):
        return (*say("For {both:b}: ", both=" and for ".join(QUESTIONS.values())), *once)
    named = zip(QUESTIONS.values(), (once, many), strict=True)
    parts = [(*say("For {q:b}: ", q=name), *(sentence or say("no verdict that ranks."))) for name, sentence in named]
    return (*parts[0], Part(" "), *parts[1])


def _overall(sections: Sequence[Section], question: str) -> Sentence:
    judged = [s for s in sections if s.answer(question).leader]
    if not judged:
        return ()
    tallies = {name: tally(cells, question) for name, cells in by_column(sections).items()}
    return (*_often(len(sections), len(judged), tallies), *_safest(len(sections), len(judged), tallies))


def _often(scenarios: int, judged: int, tallies: dict[str, Tally]) -> Sentence:
    most = max(t.best for t in tallies.values())
    first = sorted((n for n, t in tallies.items() if t.best == most), key=lambda n: (-tallies[n].met, n))
    of = f"{judged} scenarios" + (" with a verdict" if judged < scenarios else "")
    if len(first) > 1:
        return (*joined(first[:4]), *say(" are in the best group in {k} of {of}. ", k=str(most), of=of))
    return say(
        "{A:b} is in the best group in {k} of {of} and met the target in {m} of {all}. ",
        A=first[0], k=str(most), of=of, m=str(tallies[first[0]].met), all=str(scenarios),
    )  # fmt: skip


def _safest(scenarios: int, judged: int, tallies: dict[str, Tally]) -> Sentence:
    # A leader has no ratio, and is 1× itself.
    worst = {name: max([(1.0, ""), *t.ratios]) for name, t in tallies.items() if t.met == scenarios}
    if not worst:
        return say("No backend met the target on all {n} scenarios: there is no safest choice.", n=str(scenarios))
    if judged < scenarios:
        return say("The safest choice can be named when all {n} scenarios have a verdict.", n=str(scenarios))
    safest = min(worst, key=lambda n: (worst[n][0], n))
    factor, where = worst[safest]
    if factor == 1:
        return say("Safest choice: {A:b} met the target on all {n} and led each.", A=safest, n=str(scenarios))
    return say(
        "Safest choice: {A:b} met the target on all {n} scenarios; at worst it took {x} the best ({S:i}).",
        A=safest, n=str(scenarios), x=fmt.times(factor), S=where,
    )  # fmt: skip


def _footer(sections: Sequence[Section], question: str) -> list[tuple[str, list[str]]]:
    """Targets met, best group and worst ratio per backend, denominators printed (met / applicable / all)."""
    tallies = [tally(cells, question) for cells in by_column(sections).values()]
    met = [f"{t.met}/{t.applicable}/{len(sections)}" for t in tallies]
    best = [f"{t.best}/{t.compared}" if t.compared else fmt.NONE for t in tallies]
    worst = [fmt.times(t.ratios[-1][0]) if t.ratios else fmt.NONE for t in tallies]
    return [("met / applicable / all", met), ("in best group", best), ("worst × best", worst)]


def _families(sections: Sequence[Section]) -> dict[str, list[Section]]:
    families: dict[str, list[Section]] = {}
    for section in sections:
        families.setdefault(section.family, []).append(section)
    return families


def shade(section: Section, row: Row, question: str) -> Shade:
    """Seconds to the target with the ratio to the fastest, or what became of the row."""
    if row.group != "posterior":
        return Shade(Cell(WORDS[row.state]))
    if row.state == "met":
        seconds, ratio = to_target(row, section, question), section.ratio(row, question)
        small = f"{fmt.times(ratio.value)} ({fmt.interval(ratio.low, ratio.high)})" if ratio else ""
        small = "fastest" if section.leads(row, question) and section.answer(question).ratios else small
        fill = nearness(section, row, question)
        return Shade(Cell(seconds.text, small, seconds.value), fill, "", row.label, bool(row.warning))
    small = f"error {row.shown_error}" if row.state == "off target" else ""
    return Shade(Cell(WORDS[row.state], small), "bad", row.state)


def _counted(cells: Tally, *, several: bool) -> Shade:
    """A cell of the grouped matrix; `several` sections are one row of it."""
    if not cells.ranked:
        return Shade(Cell(fmt.NONE))
    best = cells.ratios[0][0] if cells.ratios else None
    small = f"best {fmt.times(best)}" if best is not None else ""
    small = (f"leads {cells.leads}" if several else "leads") if cells.leads else small
    near = "near" if best is not None and best <= NEAR else "" if cells.met else "bad"
    text = f"{cells.met}/{cells.ranked} met"
    return Shade(Cell(text, small, float(cells.met)), "best" if cells.leads else near)

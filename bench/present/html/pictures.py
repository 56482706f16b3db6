"""Which figures the page shows, where, and which it leaves out to stay small."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from bench.analysis.sections import Section
from bench.analysis.tables import RunTables
from bench.present import figures
from bench.present.figures import Figure
from bench.present.figures.ratios import ratio_forest
from bench.words import format as fmt
from bench.words.clean import clean

ELEMENTS = 12 * 300
"""Shapes and texts of all figures together: what twelve large ones have."""
MOST = 48
"""Figures drawn, the small forests of ratios included: drawing takes time too."""
SCENARIOS = 12
"""Scenarios of which more than the ratios is drawn."""
FOREST = "ratio"
TABLES = {
    "result": "#results",
    "matrix": "#matrix",
    "metrics": "metrics.csv",
    "fits": "fits.csv",
    "curves": "curves.csv",
}
"""Where a table lies, by a word of what a figure calls it."""


@dataclass(frozen=True)
class Picture:
    """A drawn figure."""

    figure: Figure
    svg: Markup

    @property
    def place(self) -> str:
        """Where the table lies that its figure names: on the page, or beside it."""
        found = (where for word, where in TABLES.items() if word in self.figure.table)
        return next(found, "#results")


@dataclass
class Pictures:
    """Forests and other figures by the title of their section, those of the whole run, and what was left out."""

    forests: dict[str, Picture] = field(default_factory=dict)
    of: dict[str, list[Picture]] = field(default_factory=dict)
    run: list[Picture] = field(default_factory=list)
    series: list[str] = field(default_factory=list)
    left_out: str = ""


def pictures(found: Sequence[Section], tables: RunTables) -> Pictures:
    """The forests first, then rounds: the first figure of every scenario, those of the run, the second of every …

    A round is drawn whole or not at all, so that no scenario has what another lacks for want of room.
    """
    style = figures.styles(found)
    mine = [(s.title, figures.of_section(s, style)) for s in found[:SCENARIOS]]
    mine += [(s.title, [forest]) for s in found[SCENARIOS:MOST] if (forest := ratio_forest(s, style))]
    made = Pictures(series=[clean(label) for label in style])
    forests = [(title, figure) for title, all_ in mine for figure in all_ if _is_forest(figure)][:MOST]
    rounds, left = _within(
        MOST - len(forests), _rounds(mine, figures.of_run(found, style, tables, calibrations=tables.calibrations))
    )
    chosen = [figure for _, figure in (*forests, *(pair for round_ in rounds for pair in round_))]
    drawn = {p.figure.key: p for p in _drawn(chosen)}  # in one go: the figures are drawn beside each other
    made.forests = {title: drawn[figure.key] for title, figure in forests}
    places = ELEMENTS
    for round_ in rounds:
        size = sum(elements(drawn[figure.key].svg) for _, figure in round_)
        if size > places:
            left += [figure for _, figure in round_]
            continue
        places -= size
        for title, figure in round_:
            (made.of.setdefault(title, []) if title else made.run).append(drawn[figure.key])
    made.left_out = _said(left, len(found) - SCENARIOS)
    return made


def _is_forest(figure: Figure) -> bool:
    return figure.kind.startswith(FOREST)


Titled = tuple[str, Figure]


def _rounds(mine: list[tuple[str, list[Figure]]], of_run: Sequence[Figure]) -> Iterator[list[Titled]]:
    """Figures that are drawn together; those of the run have no title and come one by one."""
    others = [(title, [f for f in all_ if not _is_forest(f)]) for title, all_ in mine]
    for number in range(max((len(all_) for _, all_ in others), default=0)):
        yield [(title, all_[number]) for title, all_ in others if len(all_) > number]
        if number == 0:
            yield from ([("", figure)] for figure in of_run)


def _within(room: int, rounds: Iterator[list[Titled]]) -> tuple[list[list[Titled]], list[Figure]]:
    """The rounds that are drawn, and the figures of those for which there is no room."""
    kept, left = [], []
    for round_ in rounds:
        if len(round_) <= room:
            room -= len(round_)
            kept.append(round_)
        else:
            left += [figure for _, figure in round_]
    return kept, left


def _drawn(chosen: list[Figure]) -> list[Picture]:
    svgs = figures.draw(chosen) if chosen else {}
    # Trusted markup: Vega escapes what it draws, and so does `draw` the title.
    return [Picture(figure, Markup(svgs[figure.key])) for figure in chosen]  # noqa: S704


def elements(svg: str) -> int:
    """Shapes and texts of a drawn figure."""
    return len(re.findall(r"<(?:path|rect|line|text|circle|use)\b", svg))


def _said(left: list[Figure], scenarios: int) -> str:
    kinds: dict[str, int] = {}
    for figure in left:
        kind = figure.kind.replace("-", " ")
        kinds[kind] = kinds.get(kind, 0) + 1
    names = [f"{fmt.count(n, 'figure')} of {kind}" for kind, n in kinds.items()]
    names += [f"all but the ratios of {fmt.count(scenarios, 'scenario')} after the first {SCENARIOS}"] * (scenarios > 0)
    return clean(f"Left out to keep the page small: {fmt.listed(names)}.") if names else ""

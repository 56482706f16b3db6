"""Which figures the page shows, where, and which it leaves out to stay small."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from bench.analysis.sections import Section
from bench.analysis.tables import RunTables
from bench.present import figures
from bench.present.figures import Figure
from bench.present.figures.ratios import ratio_forests
from bench.words import format as fmt
from bench.words.clean import clean

ELEMENTS = 12 * 300
"""Shapes and texts of all figures together: what twelve large ones have."""
MOST = 56
"""Figures drawn, the small forests of ratios included: drawing takes time too."""
SCENARIOS = 12
"""Scenarios of which more than the ratios is drawn."""
FOREST = "ratios"
"""The kind of the figure that stands beside the verdict."""


@dataclass(frozen=True)
class Picture:
    """A drawn figure."""

    figure: Figure
    svg: Markup


@dataclass
class Pictures:
    """Forests and other figures by the title of their section, those of the whole run, and what was left out.

    A scenario has a forest per question, which `forest` finds.
    """

    forests: dict[str, Picture] = field(default_factory=dict)
    of: dict[str, list[Picture]] = field(default_factory=dict)
    run: list[Picture] = field(default_factory=list)
    series: list[str] = field(default_factory=list)
    left_out: str = ""

    def forest(self, title: str, question: str) -> Picture | None:
        """The ratios on one scenario and question; None where nothing was compared or drawn."""
        return self.forests.get(f"{title} {question}")


def pictures(sections: Sequence[Section], tables: RunTables) -> Pictures:
    """The forests first, then rounds: the first figure of every scenario, those of the run, the second of every …

    A round is drawn whole or not at all, so that no scenario has what another lacks for want of room.
    """
    style = figures.styles(sections)
    by_title = [(s.title, figures.of_section(s, style)) for s in sections[:SCENARIOS]]
    by_title += [(s.title, ratio_forests(s, style)) for s in sections[SCENARIOS : MOST // 2]]
    forests = [(title, figure) for title, all_ in by_title for figure in all_ if figure.kind == FOREST][:MOST]
    of_run = figures.of_run(sections, style, tables, calibrations=tables.calibrations)
    rounds, left = _fitting(list(_rounds(by_title, of_run)), len, MOST - len(forests))
    # In one go: the figures are drawn beside each other.
    drawn = _drawn([figure for _, figure in (*forests, *(pair for round_ in rounds for pair in round_))])
    rounds, too_large = _fitting(rounds, lambda r: sum(elements(drawn[f.key].svg) for _, f in r), ELEMENTS)
    shown = Pictures(
        forests={figure.of: drawn[figure.key] for _, figure in forests},
        series=[clean(label) for label in style],
        left_out=_left_out([*left, *too_large], len(sections) - SCENARIOS),
    )
    for title, figure in (pair for round_ in rounds for pair in round_):
        (shown.of.setdefault(title, []) if title else shown.run).append(drawn[figure.key])
    return shown


Round = list[tuple[str, Figure]]


def _rounds(by_title: list[tuple[str, list[Figure]]], of_run: Sequence[Figure]) -> Iterator[Round]:
    """Figures that are drawn together; those of the run have no title and come one by one."""
    others = [(title, [f for f in all_ if f.kind != FOREST]) for title, all_ in by_title]
    for number in range(max((len(all_) for _, all_ in others), default=0)):
        yield [(title, all_[number]) for title, all_ in others if len(all_) > number]
        if number == 0:
            yield from ([("", figure)] for figure in of_run)


def _fitting(rounds: list[Round], size: Callable[[Round], int], room: int) -> tuple[list[Round], list[Figure]]:
    """The rounds that fit one after the other, and the figures of those for which there is no room."""
    kept, left = [], []
    for round_ in rounds:
        if (needed := size(round_)) <= room:
            room -= needed
            kept.append(round_)
        else:
            left += [figure for _, figure in round_]
    return kept, left


def _drawn(chosen: list[Figure]) -> dict[str, Picture]:
    svgs = figures.draw(chosen) if chosen else {}
    # Trusted markup: Vega escapes what it draws, and so does `draw` the title.
    return {figure.key: Picture(figure, Markup(svgs[figure.key])) for figure in chosen}  # noqa: S704


def elements(svg: str) -> int:
    """Shapes and texts of a drawn figure."""
    return len(re.findall(r"<(?:path|rect|line|text|circle|use)\b", svg))


def _left_out(left: list[Figure], scenarios: int) -> str:
    kinds = Counter(figure.kind.replace("-", " ") for figure in left)
    names = [f"{fmt.count(n, 'figure')} of {kind}" for kind, n in kinds.items()]
    names += [f"all but the ratios of {fmt.count(scenarios, 'scenario')} after the first {SCENARIOS}"] * (scenarios > 0)
    return clean(f"Left out to keep the page small: {fmt.listed(names)}.") if names else ""

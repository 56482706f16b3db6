"""The decision matrix: scenarios × backends, and what each backend achieved over all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from bench.analysis.sections import GROUPS, Row, Section
from bench.present.columns import WORDS, Cell
from bench.words import format as fmt
from bench.words.sentence import Sentence, joined, say


@dataclass(frozen=True)
class Shade:
    """A matrix cell with the strength of its fill: `best`, `near` (≤ 1.5×), `far` (≤ 2×), a state's word or ""."""

    cell: Cell
    fill: str = ""
    state: str = ""


def backends(sections: list[Section]) -> list[str]:
    """Column names: bare backend names where these are unambiguous in every scenario, labels elsewhere."""
    order: dict[str, tuple[int, int]] = {}
    name = columns_of(sections)
    for section in sections:
        for row in section.rows:
            order.setdefault(name(row), (GROUPS.index(row.group), len(order)))
    return sorted(order, key=lambda name: order[name])


def matrix(sections: list[Section]) -> list[tuple[Section, list[Shade]]]:
    """One row of shades per section, in the order of `backends`."""
    names, name = backends(sections), columns_of(sections)
    rows = []
    for section in sections:
        mine = {name(row): row for row in section.rows}
        rows.append((section, [_shade(section, mine[n]) if n in mine else Shade(Cell("not run")) for n in names]))
    return rows


def footer(sections: list[Section]) -> list[tuple[str, list[str]]]:
    """Targets met, best group and worst ratio per backend, denominators printed (met / applicable / all)."""
    names, column = backends(sections), columns_of(sections)
    found: dict[str, list[tuple[Section, Row]]] = {n: [] for n in names}
    for section in sections:
        for row in section.rows:
            found[column(row)].append((section, row))
    met, best, worst = [], [], []
    for name in names:
        mine = found[name]
        ranked = any(row.group == "posterior" for _, row in mine)
        applicable = [row for _, row in mine if row.state not in ("unsupported", "unavailable")]
        compared = [(s, r) for s, r in mine if s.verdict.leader]
        reached = sum(row.state == "met" for row in applicable)
        met.append(f"{reached}/{len(applicable)}/{len(sections)}" if ranked else fmt.NONE)
        in_best = sum(r.label in s.verdict.best_group for s, r in compared)
        best.append(f"{in_best}/{len(compared)}" if ranked and compared else fmt.NONE)
        slower = [s.verdict.ratios[r.label].value for s, r in compared if r.label in s.verdict.ratios]
        worst.append(fmt.times(max(slower)) if slower else fmt.NONE)
    return [("met / applicable / all", met), ("in best group", best), ("worst × best", worst)]


def overall(sections: list[Section]) -> Sentence:
    """Who is in the best group most often, and the safest choice: the smallest worst ratio among those that met every
    target. No score."""
    judged = [s for s in sections if s.verdict.leader]
    if len(sections) < 2 or not judged or any(s.apart for s in sections):
        return ()  # runs side by side: one scenario may stand there several times
    name = columns_of(sections)
    return (*_often(sections, judged, name), *_safest(sections, judged, name))


def _often(sections: list[Section], judged: list[Section], name: Callable[[Row], str]) -> Sentence:
    best = Counter(name(r) for s in judged for r in s.rows if r.label in s.verdict.best_group)
    met = Counter(name(r) for s in sections for r in s.rows if r.state == "met")
    most = max(best.values())
    first = sorted((n for n in best if best[n] == most), key=lambda n: (-met[n], n))
    of = f"{len(judged)} scenarios" + (" with a verdict" if len(judged) < len(sections) else "")
    if len(first) > 1:
        return (*joined(first[:4]), *say(" are in the best group in {k} of {of}. ", k=str(most), of=of))
    return say(
        "{A:b} is in the best group in {k} of {of} and met the target in {m} of {all}. ",
        A=first[0], k=str(most), of=of, m=str(met[first[0]]), all=str(len(sections)),
    )  # fmt: skip


def _safest(sections: list[Section], judged: list[Section], name: Callable[[Row], str]) -> Sentence:
    worst: dict[str, tuple[float, str]] = {}
    counted: Counter[str] = Counter()
    for section in judged:
        for row in section.rows:
            if row.state == "met":
                ratio = section.verdict.ratios.get(row.label)
                mine = (ratio.value if ratio else 1.0, section.title)
                worst[name(row)] = max(worst.get(name(row), (1.0, "")), mine)
                counted[name(row)] += 1
    always = [n for n in worst if counted[n] == len(sections)]
    if not always:
        return say("No backend met the target on all {n} scenarios: there is no safest choice.", n=str(len(sections)))
    safest = min(always, key=lambda n: (worst[n][0], n))
    factor, where = worst[safest]
    if factor == 1:
        return say("Safest choice: {A:b} met the target on all {n} and led each.", A=safest, n=str(len(sections)))
    return say(
        "Safest choice: {A:b} met the target on all {n} scenarios; at worst it took {x} the best ({S:i}).",
        A=safest, n=str(len(sections)), x=fmt.times(factor), S=where,
    )  # fmt: skip


def columns_of(sections: list[Section]) -> Callable[[Row], str]:
    """What the column of a row is called: its bare backend's name where that is unambiguous in every scenario."""
    ambiguous = {
        bare
        for section in sections
        for bare, times in Counter(_bare(row.label) for row in section.rows).items()
        if times > 1
    }
    # Where runs stand side by side a label names its run, and so does its column.
    return lambda row: row.label if " @" in row.label or _bare(row.label) in ambiguous else _bare(row.label)


def _bare(label: str) -> str:
    return label.split("[")[0].split(" ")[0]


def _shade(section: Section, row: Row) -> Shade:
    if row.state == "met":
        ratio = section.verdict.ratios.get(row.label)
        if row.label == section.verdict.leader or ratio is None:
            leads = row.label == section.verdict.leader
            seconds = row.time_to_target if leads and not section.finish else row.warm
            return Shade(Cell(fmt.seconds(seconds), "met target", seconds), "best" if leads else "")
        fill = "best" if row.label in section.verdict.best_group else "near" if ratio.value <= 1.5 else ""
        fill = fill or ("far" if ratio.value <= 2 else "")
        return Shade(Cell(fmt.times(ratio.value), fmt.interval(ratio.low, ratio.high), ratio.value), fill)
    if row.group == "reference" or row.state == "point":
        return Shade(Cell(fmt.seconds(row.warm), WORDS[row.state], row.warm), "aside")
    detail = fmt.error(row.b2_max) if row.state == "off target" else ""
    small = fmt.seconds(row.warm) if row.warm is not None else ""
    return Shade(Cell(" ".join(filter(None, [WORDS[row.state], detail])), small, None), "bad", row.state)

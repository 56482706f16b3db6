"""The decision matrix: scenarios × backends, and what each backend achieved over all of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from bench.reports import format as fmt
from bench.reports.columns import WORDS, Cell
from bench.reports.sections import GROUPS, Row, Section
from bench.reports.sentence import Sentence, say


@dataclass(frozen=True)
class Shade:
    """A matrix cell with the strength of its fill: `best`, `near` (≤ 1.5×), `far` (≤ 2×), a state's word or ""."""

    cell: Cell
    fill: str = ""


def backends(sections: list[Section]) -> list[str]:
    """Column names: bare backend names where these are unambiguous in every scenario, labels elsewhere."""
    order: dict[str, tuple[int, int]] = {}
    for section in sections:
        for row in section.rows:
            order.setdefault(_column(sections, row), (GROUPS.index(row.group), len(order)))
    return sorted(order, key=lambda name: order[name])


def matrix(sections: list[Section]) -> list[tuple[Section, list[Shade]]]:
    """One row of shades per section, in the order of `backends`."""
    names = backends(sections)
    rows = []
    for section in sections:
        mine = {_column(sections, row): row for row in section.rows}
        rows.append((section, [_shade(section, mine[n]) if n in mine else Shade(Cell("not run")) for n in names]))
    return rows


def footer(sections: list[Section]) -> list[tuple[str, list[str]]]:
    """Targets met, best group and worst ratio per backend, denominators printed (met / applicable / all)."""
    names = backends(sections)
    found: dict[str, list[tuple[Section, Row]]] = {n: [] for n in names}
    for section in sections:
        for row in section.rows:
            found[_column(sections, row)].append((section, row))
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
    """The safest choice over all scenarios: smallest worst ratio among those that met every target. No score."""
    if len(sections) < 2 or any(not s.verdict.leader for s in sections):
        return ()
    worst: dict[str, float] = {}
    counted: Counter[str] = Counter()
    for section in sections:
        for row in section.rows:
            if row.state == "met":
                name = _column(sections, row)
                ratio = section.verdict.ratios.get(row.label)
                worst[name] = max(worst.get(name, 1.0), ratio.value if ratio else 1.0)
                counted[name] += 1
    always = [name for name in worst if counted[name] == len(sections)]
    if not always:
        return say("No backend met the target on all {n} scenarios: there is no safest choice.", n=str(len(sections)))
    safest = min(always, key=lambda name: (worst[name], name))
    if worst[safest] == 1:
        return say("{A:b} met the target on all {n} scenarios and led each.", A=safest, n=str(len(sections)))
    return say(
        "Safest choice: {A:b} met the target on all {n} scenarios; at worst it took {x} the best.",
        A=safest, n=str(len(sections)), x=fmt.times(worst[safest]),
    )  # fmt: skip


def _column(sections: list[Section], row: Row) -> str:
    bare = row.label.split("[")[0].split(" ")[0]
    alone = all(sum(r.label.split("[")[0].split(" ")[0] == bare for r in s.rows) <= 1 for s in sections)
    return bare if alone else row.label


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
    return Shade(Cell(" ".join(filter(None, [WORDS[row.state], detail])), small, None), "bad")

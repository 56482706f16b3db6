"""The decision matrix as the page shows it: whole, or counts by framework and family where it would be too large."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.analysis.sections import Row, Section
from bench.present.columns import Cell
from bench.present.matrix import Shade, backends, columns_of, footer, matrix
from bench.words import format as fmt

MOST_SCENARIOS, MOST_BACKENDS = 30, 16
"""Beyond these, rows are families and columns frameworks, with counts."""


@dataclass(frozen=True)
class Matrix:
    """What the page shows: names of columns, (name, section or None, shades) of rows, footer and what was grouped."""

    columns: list[str]
    rows: list[tuple[str, Section | None, list[Shade]]]
    footer: list[tuple[str, list[str]]]
    note: str = ""


def view(sections: list[Section]) -> Matrix:
    """The matrix whole, or grouped by framework or family with counts where it would be too large."""
    names = backends(sections)
    wide, long = len(names) > MOST_BACKENDS, len(sections) > MOST_SCENARIOS
    if not wide and not long:
        return Matrix(names, [(s.title, s, shades) for s, shades in matrix(sections)], footer(sections))
    columns = sorted({_framework(n) for n in names}) if wide else names
    by_row = _families(sections) if long else {s.title: [s] for s in sections}
    name: Callable[[Row], str] = (lambda row: _framework(row.label)) if wide else columns_of(sections)
    rows = []
    for title, mine in by_row.items():
        shades = [_counted(mine, [(s, r) for s in mine for r in s.rows if name(r) == column]) for column in columns]
        rows.append((title, None if long else mine[0], shades))
    grouped = [f"{len(names)} backends by framework"] * wide + [f"{len(sections)} scenarios by family"] * long
    note = f"Grouped: {' and '.join(grouped)}; a cell counts those that met the target and names the best ratio."
    return Matrix(columns, rows, [] if wide else footer(sections), note)


def _framework(name: str) -> str:
    return name.split(".")[0]


def _families(sections: list[Section]) -> dict[str, list[Section]]:
    found: dict[str, list[Section]] = {}
    for section in sections:
        found.setdefault(str(section.about.get("family") or section.scenario.split("[")[0]), []).append(section)
    return found


def _counted(sections: list[Section], rows: list[tuple[Section, Row]]) -> Shade:
    ranked = [(s, r) for s, r in rows if r.group == "posterior"]
    if not ranked:
        return Shade(Cell(fmt.NONE), "aside")
    met = [(s, r) for s, r in ranked if r.state == "met"]
    best = min((s.verdict.ratios[r.label].value for s, r in met if r.label in s.verdict.ratios), default=None)
    leads = sum(r.label == s.verdict.leader for s, r in met)
    said = f"leads {leads}" if leads and len(sections) > 1 else "leads" if leads else ""
    small = said or (f"best {fmt.times(best)}" if best is not None else "")
    fill = "best" if leads else "near" if best is not None and best <= 1.5 else "" if met else "bad"
    return Shade(Cell(f"{len(met)}/{len(ranked)} met", small, float(len(met))), fill)

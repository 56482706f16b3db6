"""What samplers yield, and what that is made of: effective draws per second are those per gradient over its seconds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.analysis.sections import Row, Section
from bench.present.figures import spec
from bench.present.figures.figure import Figure
from bench.present.figures.solved import NOT_ASKED, UNTRUSTED
from bench.present.figures.style import Styles, look
from bench.words import format as fmt
from bench.words.clean import clean

HEIGHT, WIDTH = 18, 150
MARK, TICKS = 60, 3
"""Size of a mark, and how many values of an axis have room."""


class Yield(NamedTuple):
    """One sampler on one scenario; None where a measure is not known, as of cold reps that are not there."""

    label: str
    warm: float
    cold: float | None
    gradient: float | None
    cost: float | None


class Measure(NamedTuple):
    """A column: what is marked in it, filled and hollow, and how the filled one is written."""

    title: str
    marked: Callable[[Yield], tuple[float | None, float | None]]
    write: Callable[[float], str]


MEASURES = (
    Measure("ESS per second, ● warm ○ cold", lambda one: (one.warm, one.cold), fmt.significant),
    Measure("ESS per 1000 gradients", lambda one: (one.gradient, None), fmt.significant),
    Measure("seconds per gradient", lambda one: (one.cost, None), fmt.seconds),
)


def samplers_figure(sections: Sequence[Section], style: Styles, *, track: str = "") -> Figure | None:
    """Panels of three columns, a row of them per scenario; None where no two samplers can be set side by side."""
    found = {section.title: yields(section) for section in sections}
    shown = {title: rows[: spec.MOST] for title, rows in found.items() if len(rows) > 1}
    if not shown:
        return None
    more = sum(max(0, len(rows) - spec.MOST) for rows in found.values())
    left = spec.left_out(more, "row", "with fewer")
    alone = spec.left_out(len(found) - len(shown), "scenario", "with fewer than two such samplers", what="left out")
    on = f" on the {track} track" if track else ""
    return Figure(
        kind="samplers",
        title=f"What each sampler yields, and what that is made of{on}",
        caption=(
            "Effective draws (bulk) of the worst parameter. Warm: over the seconds of warmup and sampling; cold: over "
            "all seconds of a first fit, build and compile included. The left column is the middle one over the right "
            "one: a sampler gains by needing fewer gradients for a draw, or by cheaper ones. Seconds per gradient are "
            "those of warmup and sampling over the gradients that were of use: the sampler's own cost is in them, and "
            "what chains in lockstep wait for one another. Medians on log axes, the same for all scenarios; right is "
            "better in the first two columns, left in the third. Samplers whose chains did not mix are left out."
            f"{alone}{left}"
        ),
        spec=_chart(shown, style),
        table="the results tables of all scenarios",
        of=track,
    )


def yields(section: Section) -> list[Yield]:
    """What its samplers yield, the most per warm second first."""
    return sorted(filter(None, map(_yield, section.rows)), key=lambda one: -one.warm)


def _yield(row: Row) -> Yield | None:
    warm = row.tables.median("ess_per_second")
    if row.kind != "mcmc" or row.state in (*NOT_ASKED, *UNTRUSTED) or not warm:
        return None
    gradient = row.tables.median("ess_per_gradient")
    return Yield(
        row.label,
        warm,
        row.tables.median("ess_per_second_cold"),
        1000.0 * gradient if gradient else None,
        row.tables.median("seconds_per_gradient"),
    )


def _chart(shown: dict[str, list[Yield]], style: Styles) -> spec.Json:
    everything = [one for rows in shown.values() for one in rows]
    columns = [measure for measure in MEASURES if any(any(measure.marked(one)) for one in everything)]
    charts = []
    for title, rows in shown.items():
        for measure in columns:
            domain = spec.padded((v for one in everything for v in measure.marked(one) if v), 0.15)
            first, last = measure is columns[0], title == list(shown)[-1]
            panel = _panel(rows, style, measure, domain, named=first, labelled=last)
            heading = {"text": clean(title) if first else "", "anchor": "start", "fontSize": spec.TEXT}
            charts.append(panel | {"title": heading})
    return spec.panels(charts, columns=len(columns), texts=[spec.short(one.label) for one in everything])


def _panel(
    rows: Sequence[Yield], style: Styles, measure: Measure, domain: spec.Domain, *, named: bool, labelled: bool
) -> spec.Json:
    """One measure of one scenario, a row per sampler: with its name, where `named`; with axis labels, `labelled`."""
    x, y = spec.log_axis("x", measure.title if labelled else "", domain), spec.rows_axis(-0.6, len(rows) - 0.4)
    x["axis"] |= {} if labelled else {"labels": False, "ticks": False}
    x["axis"]["values"] = x["axis"]["values"][:: math.ceil(len(x["axis"]["values"]) / TICKS)]
    filled, hollow, texts = [], [], []
    for at, one in enumerate(rows):
        looks = look(style, one.label).row
        first, second = measure.marked(one)
        filled += [{"x": first, "y": at, **looks}] if first else []
        hollow += [{"x": second, "y": at, **looks}] if second else []
        texts += [{"x": max(first, second or 0.0), "y": at, "text": measure.write(first)}] if first else []
    names = [{"x": domain[0], "y": at, "text": spec.short(one.label)} for at, one in enumerate(rows)]
    layers = [
        spec.symbols(hollow, x, y, size=MARK, filled=False, strokeWidth=1.5),
        spec.symbols(filled, x, y, size=MARK),
        spec.words(texts, x, y, align="left", dx=7, fontSize=spec.SMALL),
        *([spec.words(names, x, y, align="right", dx=-8)] if named else []),
    ]
    return {"width": WIDTH, "height": HEIGHT * len(rows), "layer": layers}

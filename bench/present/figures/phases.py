"""Where the seconds of a fit go, cold and warm."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.analysis.sections import Row, Section
from bench.present.figures import spec
from bench.present.figures.figure import Figure
from bench.present.figures.style import Styles, hook
from bench.present.palette import COLOURS, INK, MUTED
from bench.words import format as fmt

PHASES = ("import", "build", "compile", "warmup", "sample", "transfer")
FILLS = dict(zip(PHASES, (MUTED, COLOURS[4], COLOURS[1], COLOURS[2], COLOURS[0], COLOURS[5]), strict=True))
ROW = 18
MOST = 10
SLIVER = 0.004
"""Shares of the axis below which a phase is not drawn: less than two pixels."""


def phases_figure(section: Section, style: Styles) -> Figure | None:
    """Stacked bars of median seconds, a pair per backend; None where no phase was timed."""
    split = [(row, cold, found) for row in section.rows for cold in (True, False) if (found := seconds(row, cold=cold))]
    labels = list(dict.fromkeys(row.label for row, *_ in split))
    shown = [part for part in split if part[0].label in labels[:MOST]]
    if not shown:
        return None
    left = spec.left_out(len(labels) - MOST if len(labels) > MOST else 0, "backend", "of the table are not drawn")
    measured = {str(s) for row, *_ in shown for s in row.tables.fits.get("split", pd.Series(dtype=str)).dropna()}
    prorated = (
        " Where warmup and sampling are one compiled program, they are divided by gradients."
        if "prorated" in measured
        else ""
    )
    return Figure(
        kind="phases",
        title=f"Seconds by phase, cold and warm, on {section.title}",
        caption=(
            "Median seconds of each phase over cold and warm reps, linear axis; shorter is better. Import is not part "
            "of the cold seconds elsewhere; a warm fit imports, builds and compiles nothing. The text "
            f"gives the whole and its largest part; phases stand in the order of the legend.{prorated}{left}"
        ),
        spec=_chart(shown, style),
        table="the results table and the table of fits",
        of=section.title,
    )


def seconds(row: Row, *, cold: bool) -> dict[str, float]:
    """{phase: median seconds over finished cold or warm reps}, those that took any."""
    found = {p: row.tables.phase(f"seconds_{p}", cold=cold) for p in PHASES if f"seconds_{p}" in row.tables.fits}
    return {phase: s for phase, s in found.items() if s}


def _chart(shown: Sequence[tuple[Row, bool, dict[str, float]]], style: Styles) -> spec.Json:
    longest = max(sum(found.values()) for *_, found in shown)
    x = {**spec.linear_axis("x", "seconds", (0.0, longest)), "stack": None}
    bars, texts, names = [], [], []
    y: spec.Json = {"field": "y", "type": "quantitative", "title": None, "axis": None}
    at = 0.0
    last = ""
    for row, cold, found in shown:
        if row.label != last:
            at += 0.5 if last else 0.0
            names.append({"x": 0.0, "y": at + 0.5 * _pair(shown, row), "text": spec.short(row.label)})
        last = row.label
        start = 0.0
        for phase in PHASES:
            if (took := found.get(phase, 0.0)) >= SLIVER * longest:
                ends = {"x": start, "x2": start + took, "y": at - 0.4, "y2": at + 0.4}
                bars.append({**ends, "fill": FILLS[phase], "phase": phase, "hook": hook(style, row.label)})
            start += took
        whole = sum(found.values())
        most = max(found, key=lambda phase: found[phase])
        part = f", {fmt.share(found[most] / whole)} {most}"
        texts.append({"x": whole, "y": at, "text": f"{'cold' if cold else 'warm'} {fmt.seconds(whole)}{part}"})
        at += 1.0
    y["scale"] = {"domain": [at - 0.4, -0.6], "nice": False, "zero": False}
    fill = {
        "field": "phase", "type": "nominal",
        "scale": {"domain": list(PHASES), "range": [FILLS[p] for p in PHASES]},
        "legend": {"orient": "top", "title": None, "labelColor": INK, "labelFontSize": spec.TEXT,
                   "symbolType": "square", "columnPadding": 12, "symbolStrokeColor": INK, "symbolStrokeWidth": 0},
    }  # fmt: skip
    text = {"type": "text", "baseline": "middle", "fontSize": spec.SMALL, "color": INK}
    layers = [
        spec.layer(bars, {"type": "rect"}, x=x, x2={"field": "x2"}, y=y, y2={"field": "y2"}, fill=fill,
                   description=spec.HOOK),
        spec.layer(texts, {**text, "align": "left", "dx": 5}, x=x, y=y, text={"field": "text"}),
        spec.layer(
            names, {**text, "align": "right", "dx": -8, "fontSize": spec.TEXT}, x=x, y=y, text={"field": "text"},
        ),
    ]  # fmt: skip
    return spec.chart(layers, width=360, height=round(ROW * (at + 0.2)))


def _pair(shown: Sequence[tuple[Row, bool, dict[str, float]]], row: Row) -> int:
    """How many bars a backend has beyond the first."""
    return sum(other.label == row.label for other, *_ in shown) - 1

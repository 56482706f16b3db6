"""Where the seconds of a fit go, cold and warm."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

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
    bars = [
        (row, cold, phases) for row in section.rows for cold in (True, False) if (phases := seconds(row, cold=cold))
    ]
    labels = list(dict.fromkeys(row.label for row, *_ in bars))
    shown = [bar for bar in bars if bar[0].label in labels[:MOST]]
    if not shown:
        return None
    left = spec.left_out(max(0, len(labels) - MOST), "backend", "of the table")
    measured = {how for row, *_ in shown for how in row.tables.words("split")}
    prorated = (
        " Where warmup and sampling are one compiled program, they are prorated by gradients (≈)."
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
    medians = {p: row.tables.phase(f"seconds_{p}", cold=cold) for p in PHASES}
    return {phase: median for phase, median in medians.items() if median}


def _chart(shown: Sequence[tuple[Row, bool, dict[str, float]]], style: Styles) -> spec.Json:
    longest = max(sum(phases.values()) for *_, phases in shown)
    x = {**spec.linear_axis("x", "seconds", (0.0, longest)), "stack": None}
    bars: list[spec.Json] = []
    texts: list[spec.Json] = []
    names: list[spec.Json] = []
    at = 0.0
    for label, group in groupby(shown, key=lambda bar: bar[0].label):
        pair = list(group)
        at += 0.5 if names else 0.0
        names.append({"x": 0.0, "y": at + 0.5 * (len(pair) - 1), "text": spec.short(label)})
        for _, cold, phases in pair:
            start = 0.0
            for phase in PHASES:
                if (took := phases.get(phase, 0.0)) >= SLIVER * longest:
                    ends = {"x": start, "x2": start + took, "y": at - 0.4, "y2": at + 0.4}
                    bars.append({**ends, "fill": FILLS[phase], "phase": phase, "hook": hook(style, label)})
                start += took
            total, largest = sum(phases.values()), max(phases, key=lambda phase: phases[phase])
            part = f"{fmt.share(phases[largest] / total)} {largest}"
            texts.append({"x": total, "y": at, "text": f"{'cold' if cold else 'warm'} {fmt.seconds(total)}, {part}"})
            at += 1.0
    y = spec.rows_axis(-0.6, at - 0.4)
    fill = {
        "field": "phase", "type": "nominal",
        "scale": {"domain": list(PHASES), "range": [FILLS[p] for p in PHASES]},
        "legend": {"orient": "top", "title": None, "labelColor": INK, "labelFontSize": spec.TEXT,
                   "symbolType": "square", "columnPadding": 12, "symbolStrokeColor": INK, "symbolStrokeWidth": 0},
    }  # fmt: skip
    layers = [
        spec.layer(bars, {"type": "rect"}, x=x, y=y, fill=fill),
        spec.words(texts, x, y, align="left", dx=5, fontSize=spec.SMALL),
        spec.words(names, x, y, align="right", dx=-8),
    ]  # fmt: skip
    return spec.chart(layers, width=360, height=round(ROW * (at + 0.2)))

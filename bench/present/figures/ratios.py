"""How many times as long as the leader: the paired ratios of the verdict with their intervals."""

from __future__ import annotations

from bench.analysis.contender import MARGIN
from bench.analysis.sections import Section
from bench.present.figures import spec
from bench.present.figures.figure import Figure
from bench.present.figures.style import Styles, look
from bench.present.palette import GRID, INK, MUTED
from bench.words import format as fmt

WIDTH = 370
ROW, TITLE, BAR, HALF = 40, 10, 28, 10
"""Pixels of a row, where in it the name and the bar stand, and half the height of the line at 1×."""
WIDEST = 20.0
"""How many times beyond the estimates an interval is drawn, before it is cut off with an arrow."""


def ratio_forest(section: Section, style: Styles) -> Figure | None:
    """A row per backend that met the target; None where nothing was compared."""
    verdict = section.verdict
    if not verdict.ratios:
        return None
    order = sorted(verdict.ratios, key=lambda name: (verdict.ratios[name].value, name))
    shown = order[: spec.MOST - 1]
    met = len(order) + 1
    others = sum(row.state not in ("met", "reference") for row in section.rows)
    what = "of the whole fit" if section.finish else "to the target"
    without = f" The other {others} did not, or answer another question; the table says why." if others else ""
    left = spec.left_out(len(order) - len(shown), "slower backend", "are not drawn")
    return Figure(
        kind="ratios",
        title=f"Warm seconds {what} on {section.title}, as ratios to the fastest",
        caption=(
            f"Ratios of warm seconds {what} to those of {verdict.leader}, paired over rounds, with simultaneous 95 % "
            f"intervals; less is better. An interval that reaches 1× shows no difference; the grey band, 1/{MARGIN} to "
            f"{MARGIN}×, holds differences too small to matter. {fmt.count(met, 'backend')} met the "
            f"target.{without}{left}"
        ),
        spec=_chart(section, shown, style),
        table="the results table",
        of=section.title,
    )


def _chart(section: Section, shown: list[str], style: Styles) -> spec.Json:
    """Names above their bars, so that it is narrow enough for a phone."""
    ratios, leader = section.verdict.ratios, section.verdict.leader
    values = [1 / MARGIN, MARGIN, *(ratios[name].value for name in shown)]
    least, most = min(values) / WIDEST, max(values) * WIDEST
    ends = [min(max(v, least), most) for name in shown for v in (ratios[name].low, ratios[name].high)]
    x = spec.log_axis("x", "× the fastest", spec.padded([*values, *ends], 0.04), suffix="×", grid=False)
    edges = tuple(x["scale"]["domain"])
    time = next((r.time_to_target if not section.finish else r.warm) for r in section.rows if r.label == leader)
    rows = [_row(0, leader, (1.0, 1.0, 1.0), f"fastest, {fmt.seconds(time)}", edges, style)]
    for i, name in enumerate(shown, 1):
        r = ratios[name]
        text = f"{fmt.times(r.value)} ({fmt.interval(r.low, r.high)})"
        rows.append(_row(i, name, (r.value, max(r.low, least), min(r.high, most)), text, edges, style))
    beyond = [{**row, "x": row["low"], "shape": "triangle-left"} for row in rows[1:] if row["low"] == least]
    beyond += [{**row, "x": row["high"], "shape": "triangle-right"} for row in rows[1:] if row["high"] == most]
    y = spec.rows_axis(0.0, ROW * len(rows))
    above, span = {**y, "field": "top"}, {"x": {**x, "field": "low"}, "x2": {"field": "high"}}
    strips = [{"low": 1 / MARGIN, "high": MARGIN, "x": 1.0, "y": ROW * i + BAR - HALF, "y2": ROW * i + BAR + HALF}
              for i in range(len(rows))]  # fmt: skip
    whisker = {"type": "rule", "strokeWidth": 2.5}
    layers = [
        spec.layer(strips, {"type": "rect", "color": GRID}, **span, y=y),
        spec.layer(strips, {"type": "rule", "color": INK}, x=x, y=y),
        spec.layer(rows[1:], whisker, **span, y=y, color=spec.drawn("colour")),
        spec.symbols(rows, x, y, size=80),
        spec.words(rows, {**x, "field": "left"}, above, field="row", align="left", dx=4),
        spec.words(rows, {**x, "field": "right"}, above, align="right", dx=-4, fontWeight="bold"),
    ]
    if beyond:
        arrow = {"type": "point", "filled": True, "opacity": 1, "size": 50, "color": MUTED}
        layers.append(spec.layer(beyond, arrow, x=x, y=y, shape=spec.drawn("shape")))
    return spec.chart(layers, width=WIDTH, height=ROW * len(rows))


def _row(
    i: int, name: str, at: tuple[float, float, float], text: str, edges: spec.Domain, style: Styles
) -> dict[str, float | str]:
    """What is drawn of the i-th row: `at` its ratio and interval."""
    value, low, high = at
    return {
        **look(style, name).row, "row": spec.short(name), "x": value, "low": low, "high": high, "text": text,
        "y": ROW * i + BAR, "top": ROW * i + TITLE, "left": edges[0], "right": edges[1],
    }  # fmt: skip

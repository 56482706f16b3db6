"""How many times as long as the leader: the paired ratios of the verdict with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.analysis.contender import HOW, MARGIN, Answer
from bench.analysis.sections import Section
from bench.present.cells import to_target
from bench.present.figures import spec
from bench.present.figures.figure import Figure
from bench.present.figures.style import Styles, look
from bench.present.palette import GRID, INK, MUTED
from bench.words import format as fmt

WIDTH = 370
ROW, TITLE, BAR, HALF = 31, 9, 23, 6
"""Pixels of a row, where in it the name and the bar stand, and half the height of the line at 1×."""
TICKS = 5
"""Labels of the axis, at most."""
WIDEST = 20.0
"""How many times beyond the estimates an interval is drawn, before it is cut off with an arrow."""


def ratio_forests(section: Section, style: Styles) -> list[Figure]:
    """Per question on which backends were compared a row per backend that met the target."""
    return [_forest(section, question, style) for question in HOW if section.answer(question).ratios]


def _forest(section: Section, question: str, style: Styles) -> Figure:
    answer = section.answer(question)
    shown = _order(answer)[: spec.MOST - 1]
    what = "seconds of whole fits" if question in section.finish else "seconds to the target"
    left = spec.left_out(len(answer.ratios) - len(shown), "slower backend")
    return Figure(
        kind="ratios",
        title=f"{what.capitalize()} on {section.title}, {HOW[question]}, as ratios to the fastest",
        caption=(
            f"Ratios of {what} to those of the fastest, paired over rounds: in a round all fit the same data. The 95 % "
            "intervals hold for all of them at once; less is better. One that reaches 1× shows no difference; the grey "
            f"band, 1/{MARGIN} to {MARGIN}×, holds differences too small to matter. "
            f"{fmt.count(len(answer.ratios) + 1, 'backend')} met the target.{left}"
        ),
        spec=_chart(section, question, shown, style, left),
        table="the results table",
        of=f"{section.title} {question}",
    )


def _order(answer: Answer) -> list[str]:
    return sorted(answer.ratios, key=lambda name: (answer.ratios[name].value, name))


def _chart(section: Section, question: str, shown: Sequence[str], style: Styles, left: str) -> spec.Json:
    """Names above their bars, so that it is narrow enough for a phone; `left` says what is left out."""
    ratios = [section.answer(question).ratios[name] for name in shown]
    values = [1 / MARGIN, MARGIN, *(r.value for r in ratios)]
    least, most = min(values) / WIDEST, max(values) * WIDEST
    ends = [min(max(v, least), most) for r in ratios for v in (r.low, r.high)]
    x = spec.log_axis("x", "× the fastest", spec.padded([*values, *ends], 0.04), suffix="×", grid=False)
    x["axis"]["values"] = _fewer(x["axis"]["values"])
    edges = tuple(x["scale"]["domain"])
    leader = next(row for row in section.rows if section.leads(row, question))
    text = f"fastest, {to_target(leader, section, question).text}"
    rows = [_row(0, leader.label, (1.0, 1.0, 1.0), text, edges, style)]
    for i, (name, r) in enumerate(zip(shown, ratios, strict=True), 1):
        text = f"{fmt.times(r.value)} ({fmt.interval(r.low, r.high)})"
        rows.append(_row(ROW * i, name, (r.value, max(r.low, least), min(r.high, most)), text, edges, style))
    whiskers = [row for row in rows if row["low"] != row["high"]]
    beyond = [{**row, "x": row["low"], "shape": "triangle-left"} for row in whiskers if row["low"] == least]
    beyond += [{**row, "x": row["high"], "shape": "triangle-right"} for row in whiskers if row["high"] == most]
    height = ROW * len(rows)
    y = spec.rows_axis(0.0, float(height))
    above, span = {**y, "field": "top"}, {"x": {**x, "field": "low"}, "x2": {"field": "high"}}
    strips = [{"low": 1 / MARGIN, "high": MARGIN, "x": 1.0, "y": float(row["y"]) - HALF, "y2": float(row["y"]) + HALF}
              for row in rows]  # fmt: skip
    layers = [
        spec.layer(strips, {"type": "rect", "color": GRID}, **span, y=y),
        spec.layer(strips, {"type": "rule", "color": INK}, x=x, y=y),
        spec.layer(whiskers, {"type": "rule", "strokeWidth": 2.5}, **span, y=y, color=spec.drawn("colour")),
        spec.symbols(rows, x, y, size=80),
        spec.words(rows, {**x, "field": "left"}, above, field="row", align="left", dx=4),
        spec.words(rows, {**x, "field": "right"}, above, align="right", dx=-4, fontWeight="bold"),
    ]
    if beyond:
        arrow = {"type": "point", "filled": True, "opacity": 1, "size": 50, "color": MUTED}
        layers.append(spec.layer(beyond, arrow, x=x, y=y, shape=spec.drawn("shape")))
    key = f"95 % intervals; grey: within {MARGIN}×, too small to matter\n{left.strip()}"
    return spec.chart(layers, width=WIDTH, height=height, note=key.strip())


def _fewer(ticks: list[float]) -> list[float]:
    """At most five of them, 1 among them where it was."""
    step = math.ceil(len(ticks) / TICKS)
    return ticks[ticks.index(1.0) % step if 1.0 in ticks else 0 :: step]


def _row(
    top: int, name: str, at: tuple[float, float, float], text: str, edges: spec.Domain, style: Styles
) -> dict[str, float | str]:
    """What is drawn of the row that begins at `top`: `at` its ratio and interval."""
    value, low, high = at
    return {
        **look(style, name).row, "row": spec.short(name), "x": value, "low": low, "high": high, "text": text,
        "y": top + BAR, "top": top + TITLE, "left": edges[0], "right": edges[1],
    }  # fmt: skip

"""How many times as long as the leader: the paired ratios of the verdict with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.analysis.contender import HOW, MARGIN, Answer
from bench.analysis.sections import Section
from bench.present.cells import to_target
from bench.present.figures import spec
from bench.present.figures.figure import Figure
from bench.present.figures.style import Styles, look
from bench.present.palette import GRID, INK, MUTED
from bench.words import format as fmt

WIDTH = 370
ROW, TITLE, BAR, HALF, HEAD = 38, 10, 27, 9, 22
"""Pixels of a row, where in it the name and the bar stand, half the height of the line at 1×; and of a question."""
WIDEST = 20.0
"""How many times beyond the estimates an interval is drawn, before it is cut off with an arrow."""


def ratio_forest(section: Section, style: Styles) -> Figure | None:
    """Per question a row per backend that met the target; None where nothing was compared."""
    answers = {q: answer for q, answer in section.verdict.answers.items() if answer.ratios}
    if not answers:
        return None
    most = max(2, (spec.MOST - len(answers)) // len(answers))
    met = {name for answer in answers.values() for name in (answer.leader, *answer.ratios)}
    others = sum(row.state not in ("met", "reference") for row in section.rows)
    what = "seconds of whole fits" if section.finish.issuperset(answers) else "seconds to the target"
    without = f" The other {others} did not, or answer another question; the table says why." if others else ""
    left = spec.left_out(max(len(met) - 1 - most, 0), "slower backend", "are not drawn")
    return Figure(
        kind="ratios",
        title=f"{what.capitalize()} on {section.title}, as ratios to the fastest",
        caption=(
            f"Ratios of {what} to those of the fastest, paired over rounds, with simultaneous 95 % intervals; less is "
            f"better. For {' and for '.join(HOW[q] for q in answers)}. An interval that reaches 1× shows no "
            f"difference; the grey band, 1/{MARGIN} to {MARGIN}×, holds differences too small to matter. "
            f"{fmt.count(len(met), 'backend')} met the target.{without}{left}"
        ),
        spec=_chart(section, {q: _order(answer)[:most] for q, answer in answers.items()}, style),
        table="the results table",
        of=section.title,
    )


def _order(answer: Answer) -> list[str]:
    return sorted(answer.ratios, key=lambda name: (answer.ratios[name].value, name))


def _chart(section: Section, shown: Mapping[str, Sequence[str]], style: Styles) -> spec.Json:
    """Names above their bars, so that it is narrow enough for a phone; both questions on one axis."""
    ratios = {q: [section.answer(q).ratios[name] for name in names] for q, names in shown.items()}
    values = [1 / MARGIN, MARGIN, *(r.value for some in ratios.values() for r in some)]
    least, most = min(values) / WIDEST, max(values) * WIDEST
    ends = [min(max(v, least), most) for some in ratios.values() for r in some for v in (r.low, r.high)]
    x = spec.log_axis("x", "× the fastest", spec.padded([*values, *ends], 0.04), suffix="×", grid=False)
    edges = tuple(x["scale"]["domain"])
    rows, heads, top = [], [], 0
    for question, names in shown.items():
        heads.append({"x": edges[0], "y": top + TITLE, "text": HOW[question].capitalize(), "hook": ""})
        leader = next(row for row in section.rows if section.leads(row, question))
        text = f"fastest, {to_target(leader, section, question).text}"
        rows.append(_row(top + HEAD, leader.label, (1.0, 1.0, 1.0), text, edges, style))
        for i, (name, r) in enumerate(zip(names, ratios[question], strict=True), 1):
            text = f"{fmt.times(r.value)} ({fmt.interval(r.low, r.high)})"
            at = (r.value, max(r.low, least), min(r.high, most))
            rows.append(_row(top + HEAD + ROW * i, name, at, text, edges, style))
        top += HEAD + ROW * (len(names) + 1)
    whiskers = [row for row in rows if row["low"] != row["high"]]
    beyond = [{**row, "x": row["low"], "shape": "triangle-left"} for row in whiskers if row["low"] == least]
    beyond += [{**row, "x": row["high"], "shape": "triangle-right"} for row in whiskers if row["high"] == most]
    y = spec.rows_axis(0.0, float(top))
    above, span = {**y, "field": "top"}, {"x": {**x, "field": "low"}, "x2": {"field": "high"}}
    strips = [{"low": 1 / MARGIN, "high": MARGIN, "x": 1.0, "y": float(row["y"]) - HALF, "y2": float(row["y"]) + HALF}
              for row in rows]  # fmt: skip
    layers = [
        spec.layer(strips, {"type": "rect", "color": GRID}, **span, y=y),
        spec.layer(strips, {"type": "rule", "color": INK}, x=x, y=y),
        spec.layer(whiskers, {"type": "rule", "strokeWidth": 2.5}, **span, y=y, color=spec.drawn("colour")),
        spec.symbols(rows, x, y, size=80),
        spec.words(heads, x, y, align="left", dx=4, fontStyle="italic", color=MUTED),
        spec.words(rows, {**x, "field": "left"}, above, field="row", align="left", dx=4),
        spec.words(rows, {**x, "field": "right"}, above, align="right", dx=-4, fontWeight="bold"),
    ]
    if beyond:
        arrow = {"type": "point", "filled": True, "opacity": 1, "size": 50, "color": MUTED}
        layers.append(spec.layer(beyond, arrow, x=x, y=y, shape=spec.drawn("shape")))
    return spec.chart(layers, width=WIDTH, height=top)


def _row(
    top: int, name: str, at: tuple[float, float, float], text: str, edges: spec.Domain, style: Styles
) -> dict[str, float | str]:
    """What is drawn of the row that begins at `top`: `at` its ratio and interval."""
    value, low, high = at
    return {
        **look(style, name).row, "row": spec.short(name), "x": value, "low": low, "high": high, "text": text,
        "y": top + BAR, "top": top + TITLE, "left": edges[0], "right": edges[1],
    }  # fmt: skip

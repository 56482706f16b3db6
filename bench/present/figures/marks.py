"""Marks of backends and straight bars, as error figures and fronts have them."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.sections import Row
from bench.present.figures import spec
from bench.present.figures.style import Look, Styles, look
from bench.present.palette import MUTED

Interval = tuple[float, float]


def bar_rows(look: Look, at: tuple[float, float], x: Interval | None, y: Interval | None) -> list[spec.Json]:
    """Rows for `bars`: one across and one upright through a point, where there is an interval that way."""
    ends = [(x[0], x[1], at[1], at[1])] if x else []
    ends += [(at[0], at[0], y[0], y[1])] if y else []
    same = {"colour": look.colour, "hook": look.hook}
    return [{**same, "x": x1, "x2": x2, "y": y1, "y2": y2} for x1, x2, y1, y2 in ends]


def bars(rows: Sequence[spec.Json], x: spec.Json, y: spec.Json) -> spec.Json:
    """Straight lines from (x, y) to (x2, y2), each with its `colour` and `hook`."""
    mark = {"type": "rule", "strokeWidth": 1.2, "clip": True}
    return spec.layer(rows, mark, x=x, y=y, color=spec.drawn("colour"))


def key(more: str) -> str:
    """What stands above a figure with `marks`, so that they are understood there; `more` is its own."""
    return f"lower left is better; {more}\nhollow: not ranked; crossed out: off target, or failed a diagnostic"


def marks(points: Sequence[tuple[Row, float, float]], style: Styles, x: spec.Json, y: spec.Json) -> list[spec.Json]:
    """Each backend's mark: filled where it met the target or is ranked by nothing, crossed out elsewhere."""
    rows = []
    for row, at_x, at_y in points:
        its = look(style, row.label)
        fill = its.colour if row.state == "met" else "transparent"
        rows.append({**its.row, "x": at_x, "y": at_y, "fill": fill})
    crossed = [r for r, (row, *_) in zip(rows, points, strict=True) if row.state not in ("met", "reference", "point")]
    channels = {"x": x, "y": y, "stroke": spec.drawn("colour")}
    mark = {"type": "point", "size": 75, "opacity": 1, "strokeWidth": 1.6}
    layers = [spec.layer(rows, mark, **channels, fill=spec.drawn("fill"), shape=spec.drawn("shape"))]
    if crossed:
        cross = {"type": "point", "shape": spec.CROSS, "size": 150, "opacity": 1, "strokeWidth": 1.4, "color": MUTED}
        layers.append(spec.layer(crossed, cross, x=x, y=y))
    return layers

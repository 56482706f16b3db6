"""Error against seconds, cold and warm, and against gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.analysis.contender import TARGET
from bench.analysis.sections import Row, Section
from bench.present.figures import labels, spec
from bench.present.figures.figure import Figure
from bench.present.figures.marks import bars, marks
from bench.present.figures.style import PLAIN, Styles, hook
from bench.present.figures.ways import AXES, MIN_BAND, Course, Ways, course, ways
from bench.present.palette import GRID, INK
from bench.types import Array
from bench.words import format as fmt

TOP, MARGIN = 100.0, 10.0
"""Larger errors are cut off, unless a finished fit has them: a tenth of its frame is left above."""
BETTER = "lower left is better"
HOW: Mapping[str, str] = {
    "warm": "Warm: a program compiled before.",
    "cold": "Cold: the first fit of a process, build and compilation included, import not.",
    "gradients": "Gradients count warmup; a minibatch counts as its share of the data.",
}


def error_figures(section: Section, style: Styles) -> list[Figure]:
    """b²_avg against warm seconds, cold seconds and gradients, log-log; those for which something was measured."""
    read = [(row, ways(row)) for row in section.rows]
    made = (_figure(section, style, read, against) for against in AXES)
    return [figure for figure in made if figure is not None]


def _figure(section: Section, style: Styles, read: Sequence[tuple[Row, Ways]], against: str) -> Figure | None:
    _, kind, title = AXES[against]
    found = [(row, way) for row, all_ in read if (way := course(row, all_, against)) is not None]
    shown = found[: spec.MOST]
    if not shown:
        return None
    left = spec.left_out(len(found) - len(shown), "backend", "of the table are not drawn")
    chart, cut = _chart(shown, style, title)
    above = " Errors above the frame are cut off." if cut else ""
    return Figure(
        kind=kind,
        title=f"Error b²_avg against {title} on {section.title}",
        caption=(
            f"Lower left is better. {HOW[against]} Lines are medians over reps, with a 5–95 % band from {MIN_BAND} "
            "reps on, else with every rep thin; the mark is the finished fit, crossed out where it missed the target "
            "or failed a diagnostic. Point estimates are marks with the range of their reps; they keep an error for "
            f"want of a spread. The ranking asks more than this average: every b² below {TARGET}.{above}{left}"
        ),
        spec=chart,
        table="the results table",
        of=section.title,
    )


def _chart(shown: Sequence[tuple[Row, Course]], style: Styles, title: str) -> tuple[spec.Json, bool]:
    """The specification, and whether errors are cut off at the top."""
    floor = max((row.tables.error_floor for row, _ in shown), default=0.0)
    errors = [TARGET, *([floor] if floor else []), *(v for row, c in shown for v in _extent(row, c, 1))]
    top = max(TOP, *(MARGIN * way.end[1] for _, way in shown))
    x_domain = spec.padded(v for row, c in shown for v in _extent(row, c, 0))
    y_domain = spec.padded(min(v, top) for v in errors)
    height = labels.tall(len(shown) + 2)
    x = spec.log_axis("x", title, x_domain)
    y = spec.log_axis("y", "b²_avg", y_domain)
    layers = [*_floor(floor, y, y_domain)]
    layers.append(spec.layer([{"y": TARGET}], {"type": "rule", "color": INK, "strokeDash": [5, 4]}, y=y))
    ends = {"target": (x_domain[1], TARGET)}
    texts = {"target": f"target {TARGET}"}
    if floor:
        ends["floor"] = (x_domain[1], max(floor, y_domain[0]))
        texts["floor"] = f"reference's own error {fmt.error(floor)}"
    for row, way in shown:
        layers += _line(row, way, style, x, y)
        ends[row.label] = way.end
    layers += _bars(shown, style, x, y)
    layers += marks([(row, *way.end) for row, way in shown], style, x, y)
    layers += labels.labelled(ends, style, x, y, height=height, texts=texts, bare=("target", "floor"))
    return spec.chart(layers, height=height, note=BETTER), max(errors) > top


def _extent(row: Row, way: Course, axis: int) -> list[float]:
    if row.kind == "point":
        return list((way.reach_x, way.reach_y)[axis])
    band = [] if way.low is None or way.high is None or axis == 0 else [way.low.min(), way.high.max()]
    line = way.y if axis else way.x
    return [line.min(), line.max(), *band, *(v for rep in way.reps for v in rep[axis])]


def _floor(floor: float, y: spec.Json, domain: spec.Domain) -> list[spec.Json]:
    """Below this the reference's own error is all that is seen."""
    if not floor:
        return []
    mark = {"type": "rect", "color": GRID, "opacity": 0.6}
    return [spec.layer([{"y": domain[0], "top": floor}], mark, y=y, y2={"field": "top"})]


def _line(row: Row, way: Course, style: Styles, x: spec.Json, y: spec.Json) -> list[spec.Json]:
    if row.kind == "point" or len(way.x) < 2:
        return []
    colour, _, dash = style.get(row.label, PLAIN)
    common = {"clip": True, "color": colour, "description": hook(style, row.label)}
    layers = []
    if way.low is not None and way.high is not None:
        rows = [{"x": a, "y": b, "top": c} for a, b, c in zip(way.x, way.low, way.high, strict=True)]
        mark = {**common, "type": "area", "opacity": 0.15}
        layers.append(spec.layer(rows, mark, x=x, y=y, y2={"field": "top"}))
    if way.reps:
        mark = {**common, "type": "line", "strokeWidth": 0.7, "opacity": 0.6}
        layers.append(spec.layer(_broken(way.reps), mark, x=x, y=y, order=ORDER))
    rows = [{"x": a, "y": b, "i": i} for i, (a, b) in enumerate(zip(way.x, way.y, strict=True))]
    mark = {**common, "type": "line", "strokeWidth": 2, "strokeDash": dash}
    layers.append(spec.layer(rows, mark, x=x, y=y, order=ORDER))
    return layers


ORDER = {"field": "i", "type": "quantitative"}


def _broken(ways: Sequence[tuple[Array, Array]]) -> list[dict[str, float | None]]:
    """All reps as one line that breaks between them: one element, not one each."""
    rows: list[dict[str, float | None]] = []
    for xs, ys in ways:
        rows += [{"x": a, "y": b, "i": len(rows) + i} for i, (a, b) in enumerate(zip(xs, ys, strict=True))]
        rows.append({"x": xs[-1], "y": None, "i": len(rows)})
    return rows[:-1]


def _bars(shown: Sequence[tuple[Row, Course]], style: Styles, x: spec.Json, y: spec.Json) -> list[spec.Json]:
    """Both ways over the reps of point methods."""
    rows: list[dict[str, float | str]] = []
    for row, way in shown:
        if row.kind == "point":
            same: dict[str, float | str] = {"colour": style.get(row.label, PLAIN)[0], "hook": hook(style, row.label)}
            rows.append({**same, "x": way.reach_x[0], "x2": way.reach_x[1], "y": way.end[1], "y2": way.end[1]})
            rows.append({**same, "x": way.end[0], "x2": way.end[0], "y": way.reach_y[0], "y2": way.reach_y[1]})
    return [bars(rows, x, y)] if rows else []

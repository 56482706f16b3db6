"""Error against seconds, cold and warm, and against gradients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bench.analysis.contender import TARGET
from bench.analysis.sections import QUIET, Row, Section
from bench.present.figures import labels, spec
from bench.present.figures.figure import Figure
from bench.present.figures.marks import bar_rows, bars, key, marks
from bench.present.figures.style import Styles, look
from bench.present.figures.ways import AXES, MIN_BAND, Course, Ways, course, ways
from bench.present.palette import GRID
from bench.words import format as fmt

TOP, MARGIN = 100.0, 10.0
"""Larger errors are cut off, unless a finished fit has them: a tenth of its frame is left above."""
DRAWS = "Seconds along a sampler's draws are prorated by gradients (≈)."
HOW: Mapping[str, str] = {
    "warm": f"Warm: each further fit in the same process, all loaded and compiled. {DRAWS}",
    "cold": f"Cold: the first fit of a process, build and compilation included, import not. {DRAWS}",
    "gradients": "Gradients count warmup; a minibatch counts as its share of the data.",
}


def error_figures(section: Section, style: Styles) -> list[Figure]:
    """b²_avg against warm seconds, cold seconds and gradients, log-log; those for which something was measured."""
    read = [(row, ways(row)) for row in section.rows]
    drawn = (_figure(section, style, read, against) for against in AXES)
    return [figure for figure in drawn if figure is not None]


def _figure(section: Section, style: Styles, read: Sequence[tuple[Row, Ways]], against: str) -> Figure | None:
    _, kind, title = AXES[against]
    courses = [(row, way) for row, all_ in read if (way := course(row, all_, against)) is not None]
    shown = courses[: spec.MOST]
    if not shown:
        return None
    left = spec.left_out(len(courses) - len(shown), "backend", "of the table")
    modelled = " (≈ of samplers)" if against != "gradients" and any(row.kind == "mcmc" for row, _ in shown) else ""
    chart, cut = _chart(shown, style, title + modelled)
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
    x = spec.log_axis("x", title, x_domain)
    y = spec.log_axis("y", "b²_avg", y_domain)
    layers = []
    ends, texts = {"target": (x_domain[1], TARGET)}, {"target": f"target {TARGET}"}
    if floor:  # below it the reference's own error is all that is seen
        mark = {"type": "rect", "color": GRID, "opacity": 0.6}
        layers.append(spec.layer([{"y": y_domain[0], "y2": floor}], mark, y=y))
        ends["floor"] = (x_domain[1], max(floor, y_domain[0]))
        texts["floor"] = f"reference's own error {fmt.error(floor)}"
    layers.append(spec.level(TARGET, y))
    for row, way in shown:
        layers += _line(row, way, style, x, y)
    ends |= {row.label: way.end for row, way in shown}
    texts |= {  # this average is below the target, and it is not met
        row.label: f"{spec.short(row.label)}, {row.state}"
        for row, way in shown if way.end[1] < TARGET and row.state not in QUIET
    }  # fmt: skip
    spans = [
        bar for row, way in shown if row.kind == "point"
        for bar in bar_rows(look(style, row.label), way.end, way.reach_x, way.reach_y)
    ]  # fmt: skip
    layers += [bars(spans, x, y)] if spans else []
    layers += marks([(row, *way.end) for row, way in shown], style, x, y)
    note = key("thin lines: reps; shade: 5–95 % of them")
    chart = labels.chart(layers, ends, style, x, y, texts=texts, bare=("target", "floor"), note=note)
    return chart, max(errors) > top


def _extent(row: Row, way: Course, axis: int) -> list[float]:
    if row.kind == "point":
        return list((way.reach_x, way.reach_y)[axis])
    band = [] if way.low is None or way.high is None or axis == 0 else [way.low.min(), way.high.max()]
    line = way.y if axis else way.x
    return [line.min(), line.max(), *band, *(v for rep in way.reps for v in rep[axis])]


def _line(row: Row, way: Course, style: Styles, x: spec.Json, y: spec.Json) -> Iterator[spec.Json]:
    """The band over reps or every rep thin, and the median; a point has marks only."""
    if row.kind == "point" or len(way.x) < 2:
        return
    its = look(style, row.label)
    common = {"clip": True, "color": its.colour, "description": its.hook}
    if way.low is not None and way.high is not None:
        rows = [{"x": a, "y": b, "y2": c} for a, b, c in zip(way.x, way.low, way.high, strict=True)]
        yield spec.layer(rows, {**common, "type": "area", "opacity": 0.15}, x=x, y=y)
    if way.reps:  # as one line that breaks between them: one element, not one each
        corners = [c for xs, ys in way.reps for c in (*zip(xs, ys, strict=True), (xs[-1], None))]
        yield spec.path(corners[:-1], x, y, **common, strokeWidth=0.7, opacity=0.6)
    yield spec.path(zip(way.x, way.y, strict=True), x, y, **common, strokeWidth=2, strokeDash=its.dash)

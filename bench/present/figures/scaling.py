"""Seconds against the size of the data, where a scenario was swept."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence

from bench.analysis.sections import Row, Section
from bench.present.figures import labels, spec
from bench.present.figures.figure import Figure
from bench.present.figures.style import Styles, look
from bench.present.figures.sweeps import Sweep, seconds, sweeps
from bench.present.palette import INK, MUTED
from bench.stats.slopes import Crossing, Points, Slope, crossing, slope
from bench.words import format as fmt


def scaling_figures(sections: Sequence[Section], style: Styles) -> list[Figure]:
    """A figure per sweep that some backend has seconds at two sizes of."""
    return [figure for sweep in sweeps(sections) if (figure := _figure(sweep, style)) is not None]


def _figure(sweep: Sweep, style: Styles) -> Figure | None:
    times = {name: points for name, points in seconds(sweep).items() if len({size for size, _ in points}) > 1}
    if not times:
        return None
    lines = {name: slope(points) for name, points in times.items()}
    shown = sorted(lines, key=lambda name: (lines[name].at(max(sweep.sections)), name))[: spec.MOST]
    crossings = list(_crossings(sweep, {name: times[name] for name in shown}, lines))
    left = spec.left_out(len(times) - len(shown), "slower backend", "are not drawn")
    return Figure(
        kind=f"scaling-{sweep.key.replace('_', '-')}",
        title=f"Warm seconds against {sweep.key} on {sweep.name}",
        caption=(
            "Lower is better. Marks are medians over warm reps, small dots the rounds; lines are least squares through "
            "the rounds on both logs. The label gives the exponent p of seconds ∝ size^p with its 95 % interval "
            f"(Student's t): 0 is time that does not grow.{_crossing_words(crossings, sweep.key)} Fits of whatever "
            f"error are timed here.{left}"
        ),
        spec=_chart(sweep, {name: times[name] for name in shown}, lines, crossings, style),
        table="the results tables of the sweep's scenarios",
        of=sweep.name,
    )


def _crossings(
    sweep: Sweep, times: Mapping[str, Points], lines: Mapping[str, Slope]
) -> Iterator[tuple[str, str, Crossing]]:
    """Of a backend on two devices, else of the fastest at the smallest size and the fastest at the largest."""
    methods = {row.label: _but_device(row) for section in sweep.sections.values() for row in section.rows}
    by_method: dict[tuple[str, ...], list[str]] = {}
    for name in times:
        by_method.setdefault(methods[name], []).append(name)
    pairs = [(one, other) for names in by_method.values() for one, other in itertools.pairwise(names)]
    sizes = [size for points in times.values() for size, _ in points]
    if not pairs and len(times) > 1:
        first, last = (min(lines, key=lambda n: (lines[n].at(size), n)) for size in (min(sizes), max(sizes)))
        pairs = [(first, last)] if first != last and first in times and last in times else []
    for one, other in pairs:
        shared = _paired(times[one], times[other])
        if shared is not None and (where := crossing(*shared)) is not None:
            yield one, other, where


def _but_device(row: Row) -> tuple[str, ...]:
    """What a row has in common with its namesake on another device."""
    return row.backend, repr(row.options), row.run, *(v for k, v in row.variant.items() if k != "device")


def _paired(one: Points, other: Points) -> tuple[Points, Points] | None:
    """The points of both at sizes where they have equally many rounds; None below two sizes."""
    counts = [{s: [p for p in points if p[0] == s] for s, _ in points} for points in (one, other)]
    shared = [s for s in counts[0] if len(counts[0][s]) == len(counts[1].get(s, []))]
    if len(shared) < 2:
        return None
    first, second = ([p for s in shared for p in by_size[s]] for by_size in counts)
    return first, second


def _crossing_words(crossings: Sequence[tuple[str, str, Crossing]], key: str) -> str:
    parts = []
    for one, other, where in crossings:
        near = f"{key} {fmt.significant(where.size, 2)}"
        if where.interval is None:
            parts.append(f" {one} and {other} cross near {near}; these rounds do not bound where.")
        else:
            low, high = (fmt.significant(v, 2) for v in where.interval)
            parts.append(f" {one} and {other} cross at {near} ({low}–{high}, 95 %).")
    return "".join(parts)


def _chart(
    sweep: Sweep, times: Mapping[str, Points], lines: Mapping[str, Slope],
    crossings: Sequence[tuple[str, str, Crossing]], style: Styles,
) -> spec.Json:  # fmt: skip
    sizes = list(sweep.sections)
    values = [t for points in times.values() for _, t in points]
    x_domain, y_domain = spec.padded(sizes), spec.padded([*values, *(lines[n].at(s) for n in times for s in sizes)])
    x = spec.log_axis("x", sweep.key, x_domain)
    y = spec.log_axis("y", "warm seconds", y_domain)
    layers, dots, marks, ends = [], [], [], {}
    for low, high in (where.interval for *_, where in crossings if where.interval):
        edges = {"x": max(low, x_domain[0]), "x2": min(high, x_domain[1])}
        layers.append(spec.layer([edges], {"type": "rect", "color": MUTED, "opacity": 0.15}, x=x))
    for name, points in times.items():
        its = look(style, name)
        medians = {s: statistics.median(t for size, t in points if size == s) for s in sorted({s for s, _ in points})}
        first, *_, last = medians
        rows = [{"x": s, "y": lines[name].at(s)} for s in (first, last)]
        layers.append(spec.layer(rows, {"type": "line", **its.line(1.6)}, x=x, y=y))
        if len(points) > len(medians):
            dots += [{**its.row, "x": s, "y": t} for s, t in points]
        marks += [{**its.row, "x": s, "y": t} for s, t in medians.items()]
        ends[name] = (last, medians[last])
    if len(dots) <= 100:
        mark = {"type": "point", "filled": True, "size": 9, "opacity": 0.8}
        layers.append(spec.layer(dots, mark, x=x, y=y, color=spec.drawn("colour")))
    layers.append(spec.symbols(marks, x, y, size=60))
    for one, _, where in crossings:
        at = [{"x": where.size, "y": lines[one].at(where.size)}]
        ring = {"type": "point", "size": 220, "color": INK, "strokeWidth": 1.4, "opacity": 1}
        layers.append(spec.layer(at, ring, x=x, y=y))
    texts = {name: f"{spec.short(name)}: {_exponent(lines[name])}" for name in times}
    return labels.chart(layers, ends, style, x, y, texts=texts, note="lower is better")


def _exponent(line: Slope) -> str:
    if line.high == float("inf"):
        return f"p = {line.slope:.2f}"
    return f"p = {line.slope:.2f} ({line.low:.2f} to {line.high:.2f})"

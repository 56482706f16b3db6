"""Seconds against a size that was swept: of whole fits, and of a gradient beside what memory allows."""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from bench.analysis.sections import Row, Section
from bench.present.figures import labels, spec
from bench.present.figures.figure import Figure
from bench.present.figures.style import Styles, look
from bench.present.figures.sweeps import Rounds, Sweep, costs, limit, points, seconds, sweeps
from bench.present.palette import INK, MUTED
from bench.stats.slopes import Crossing, Points, Slope, crossing, slope
from bench.words import format as fmt


class Measure(NamedTuple):
    """What is drawn against the size: seconds of whole fits, or of one gradient beside what memory allows."""

    kind: str
    title: str
    axis: str
    rounds: Rounds
    caption: str
    limit: Callable[[Row], float | None] | None = None


MEASURES = (
    Measure("scaling", "Warm seconds", "warm seconds", seconds, "Fits of whatever error are timed here."),
    Measure(
        "cost", "Seconds per gradient", "seconds per gradient", costs,
        "A gradient counts per chain and is of the full data. The grey line is the time in which the machine reads the "
        "data once from memory: a method above it spends its time on something else, one below it keeps the data in a "
        "cache, shares one reading among chains or reads less.", limit,
    ),
)  # fmt: skip


def scaling_figures(sections: Sequence[Section], style: Styles) -> list[Figure]:
    """Figures of each sweep in which some backend has values at two sizes."""
    drawn = (_figure(sweep, measure, style) for sweep in sweeps(sections) for measure in MEASURES)
    return [figure for figure in drawn if figure is not None]


def _figure(sweep: Sweep, measure: Measure, style: Styles) -> Figure | None:
    values = {n: p for n, p in points(sweep, measure.rounds).items() if len({size for size, _ in p}) > 1}
    bound = _bound(sweep, measure)
    if not values or (measure.limit and len(bound) < 2):
        return None
    lines = {name: slope(points) for name, points in values.items()}
    shown = sorted(lines, key=lambda name: (lines[name].at(max(sweep.sizes)), name))[: spec.MOST]
    drawn = {name: values[name] for name in shown}
    crossings = list(_crossings(sweep, drawn, lines))
    left = spec.left_out(len(values) - len(shown), "slower backend")
    return Figure(
        kind=f"{measure.kind}-{re.sub('[^a-z]+', '-', sweep.key.lower())}",
        title=f"{measure.title} against {sweep.key} on {sweep.name}",
        caption=(
            "Lower is better. Marks are medians over warm reps, small dots the rounds; lines are least squares through "
            f"the rounds on both logs. The label gives the exponent p of {measure.axis} ∝ size^p with its 95 % "
            f"interval (Student's t): 0 is time that does not grow.{_crossing_words(crossings, sweep.key)} "
            f"{measure.caption}{left}"
        ),
        spec=_chart(sweep, measure.axis, drawn, lines, crossings, bound, style),
        table="the results tables of the sweep's scenarios",
        of=sweep.name,
    )


def _bound(sweep: Sweep, measure: Measure) -> list[tuple[float, float]]:
    """(size, the measure's limit there), of the first row that knows it."""
    if measure.limit is None:
        return []
    known = {
        size: bound
        for by_size in sweep.rows.values()
        for size, row in by_size.items()
        if (bound := measure.limit(row)) is not None
    }
    return sorted(known.items())


def _crossings(
    sweep: Sweep, times: Mapping[str, Points], lines: Mapping[str, Slope]
) -> Iterator[tuple[str, str, Crossing]]:
    """Of a backend on two devices, else of the fastest at the smallest size and the fastest at the largest."""
    methods = {name: _but_device(next(iter(by_size.values())), sweep.key) for name, by_size in sweep.rows.items()}
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


def _but_device(row: Row, key: str) -> tuple[str, ...]:
    """What a row has in common with its namesakes on another device, whatever the swept number."""
    options = {k: v for k, v in row.options.items() if k != key}
    return row.backend, repr(options), row.run, *(v for k, v in row.variant.items() if k != "device")


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
    sweep: Sweep, axis: str, times: Mapping[str, Points], lines: Mapping[str, Slope],
    crossings: Sequence[tuple[str, str, Crossing]], bound: Points, style: Styles,
) -> spec.Json:  # fmt: skip
    sizes = sweep.sizes
    values = [t for each in times.values() for _, t in each] + [t for _, t in bound]
    ends = [lines[name].at(size) for name, each in times.items() for size in {size for size, _ in each}]
    x_domain, y_domain = spec.padded(sizes), spec.padded([*values, *ends])
    x = spec.log_axis("x", sweep.key, x_domain)
    y = spec.log_axis("y", axis, y_domain)
    layers, dots, marks, places = [], [], [], {}
    for low, high in (where.interval for *_, where in crossings if where.interval):
        edges = {"x": max(low, x_domain[0]), "x2": min(high, x_domain[1])}
        layers.append(spec.layer([edges], {"type": "rect", "color": MUTED, "opacity": 0.15}, x=x))
    if bound:
        limits = [{"x": size, "y": t} for size, t in bound]
        layers.append(spec.layer(limits, {"type": "line", "color": MUTED, "strokeWidth": 3, "opacity": 0.5}, x=x, y=y))
    for name, each in times.items():
        its = look(style, sweep.style[name])
        medians = {s: statistics.median(t for size, t in each if size == s) for s in sorted({s for s, _ in each})}
        first, *_, last = medians
        rows = [{"x": s, "y": lines[name].at(s)} for s in (first, last)]
        layers.append(spec.layer(rows, {"type": "line", **its.line(1.6)}, x=x, y=y))
        if len(each) > len(medians):
            dots += [{**its.row, "x": s, "y": t} for s, t in each]
        marks += [{**its.row, "x": s, "y": t} for s, t in medians.items()]
        places[sweep.style[name]] = (last, medians[last])
    if len(dots) <= 100:
        mark = {"type": "point", "filled": True, "size": 9, "opacity": 0.8}
        layers.append(spec.layer(dots, mark, x=x, y=y, color=spec.drawn("colour")))
    layers.append(spec.symbols(marks, x, y, size=60))
    for one, _, where in crossings:
        at = [{"x": where.size, "y": lines[one].at(where.size)}]
        ring = {"type": "point", "size": 220, "color": INK, "strokeWidth": 1.4, "opacity": 1}
        layers.append(spec.layer(at, ring, x=x, y=y))
    texts = {sweep.style[name]: f"{spec.short(name)}: {_exponent(lines[name])}" for name in times}
    keys = {"ring: lines cross": crossings, "shade: where, at 95 %": any(where.interval for *_, where in crossings),
            "grey line: data read once from memory": bound}  # fmt: skip
    note = "; ".join(["lower is better", *(words for words, drawn in keys.items() if drawn)])
    return labels.chart(layers, places, style, x, y, texts=texts, note=note)


def _exponent(line: Slope) -> str:
    if line.high == float("inf"):
        return f"p = {line.slope:.2f}"
    return f"p = {line.slope:.2f} ({line.low:.2f} to {line.high:.2f})"

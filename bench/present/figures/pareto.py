"""Final error against what it cost: warm seconds, or peak memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bench.analysis.columnar import medians
from bench.analysis.contender import MIN_ROUNDS, TARGET
from bench.analysis.sections import Row, Section
from bench.present.figures import labels, spec
from bench.present.figures.figure import Figure
from bench.present.figures.marks import Interval, bar_rows, bars, key, marks
from bench.present.figures.style import Styles, look
from bench.present.figures.ways import FLOOR
from bench.present.palette import MUTED
from bench.stats.intervals import paired
from bench.types import Array

JUDGED = ("met", "off target", "point")
"""States whose error means what it says; the others cannot be on the front."""
COSTS = {
    "seconds": ("pareto-seconds", "seconds_total", "warm seconds", 1.0),
    "memory": ("pareto-memory", "peak_rss_bytes", "peak memory of the process, MB", 1e6),
    "device": ("pareto-device-memory", "peak_device_bytes", "peak device memory, MB", 1e6),
}


class Place(NamedTuple):
    """Where a backend stands: cost and b²_max, each with its interval where there are rounds enough."""

    cost: float
    error: float
    cost_interval: Interval | None
    error_interval: Interval | None


def pareto_figure(section: Section, style: Styles, *, cost: str) -> Figure | None:
    """b²_max against `seconds`, `memory` or `device` memory; None for fewer than two backends."""
    kind, column, title, unit = COSTS[cost]
    rows = [row for row in section.rows if row.kind != "exact"]
    placed = [(row, at) for row in rows if (at := place(row, column, unit)) is not None]
    shown = placed[: spec.MOST]
    if len(shown) < 2:
        return None
    best = front({row.label: (at.cost, at.error) for row, at in shown if row.state in JUDGED})
    left = spec.left_out(len(placed) - len(shown), "backend", "of the table")
    return Figure(
        kind=kind,
        title=f"Final error b²_max against {title} on {section.title}",
        caption=(
            "Lower left is better. The stepped line is the front: no backend drawn is better than one on it in both "
            "error and cost. Bars are 95 % intervals over rounds, from three rounds on. Crossed-out marks did not end "
            f"well or missed the target {TARGET}; what failed a diagnostic is not on the front. Point estimates keep "
            f"an error because they state no spread.{left}"
        ),
        spec=_chart(shown, best, style, title),
        table="the results table",
        of=section.title,
    )


def place(row: Row, column: str, unit: float) -> Place | None:
    """Median over finished fits, warm ones for seconds; None without an error or the cost."""
    if row.b2_max is None or not math.isfinite(row.b2_max):
        return None
    warm = column == "seconds_total"
    values, rounds = (row.tables.floats(c, cold=False) if warm else row.tables.numbers(c) for c in (column, "round"))
    values, rounds = values[values > 0] / unit, rounds[values > 0]
    if not len(values):
        return None
    error = max(row.b2_max, FLOOR)
    around = row.b2_interval and (max(row.b2_interval[0], FLOOR), max(row.b2_interval[1], FLOOR))
    return Place(float(np.median(values)), error, over_rounds(values, rounds, trim=warm), around)


def over_rounds(values: Array, rounds: Array, *, trim: bool) -> Interval | None:
    """95 % interval of the log over rounds, of each its median; None below MIN_ROUNDS."""
    logs = np.log(list(medians(rounds, values).values()))
    if len(logs) < MIN_ROUNDS:
        return None
    low, high = paired(logs, trim=trim).interval(0.95)
    return math.exp(low), math.exp(high)


def front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Names of the points that no other is at least as good as in both numbers and better in one; ascending cost."""
    best: list[str] = []
    least = math.inf
    for name in sorted(points, key=lambda n: (*points[n], n)):
        cost, error = points[name]
        if error < least or (best and points[best[-1]] == (cost, error)):
            best.append(name)
            least = error
    return best


def _chart(shown: Sequence[tuple[Row, Place]], best: list[str], style: Styles, title: str) -> spec.Json:
    places = [at for _, at in shown]
    x = spec.log_axis("x", title, spec.padded(v for p in places for v in (p.cost, *(p.cost_interval or ()))))
    y_domain = spec.padded([TARGET, *(v for p in places for v in (p.error, *(p.error_interval or ())))])
    y = spec.log_axis("y", "b²_max", y_domain)
    edge = x["scale"]["domain"][1]
    layers = [spec.level(TARGET, y)]
    points = {row.label: (at.cost, at.error) for row, at in shown}
    if best:
        corners = [*(points[name] for name in best), (edge, points[best[-1]][1])]
        layers.append(spec.path(corners, x, y, **spec.STEP, color=MUTED, strokeWidth=1.5, opacity=0.7))
    spans = [
        bar for row, at in shown
        for bar in bar_rows(look(style, row.label), (at.cost, at.error), at.cost_interval, at.error_interval)
    ]  # fmt: skip
    layers += [bars(spans, x, y)] if spans else []
    layers += marks([(row, at.cost, at.error) for row, at in shown], style, x, y)
    texts = {"target": f"target {TARGET}"} | {name: f"{spec.short(name)} (front)" for name in best}
    ends = points | {"target": (edge, TARGET)}
    return labels.chart(layers, ends, style, x, y, texts=texts, bare=("target",), note=key("bars: 95 % intervals"))

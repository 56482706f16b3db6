"""Final error against what it cost: warm seconds, or peak memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.analysis.contender import MIN_ROUNDS, TARGET
from bench.analysis.sections import Row, Section
from bench.present.figures import labels, spec
from bench.present.figures.errors import BETTER
from bench.present.figures.figure import Figure
from bench.present.figures.marks import bars, marks
from bench.present.figures.style import PLAIN, Styles, hook
from bench.present.figures.ways import FLOOR
from bench.present.palette import INK, MUTED
from bench.stats.intervals import paired

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
    cost_interval: tuple[float, float] | None
    error_interval: tuple[float, float] | None


def pareto_figure(section: Section, style: Styles, *, cost: str) -> Figure | None:
    """b²_max against `seconds`, `memory` or `device` memory; None for fewer than two backends."""
    kind, column, title, unit = COSTS[cost]
    rows = [row for row in section.rows if row.kind != "exact"]
    found = {row.label: (row, at) for row in rows if (at := place(row, column, unit)) is not None}
    shown = dict(list(found.items())[: spec.MOST])
    if len(shown) < 2:
        return None
    best = front({name: (at.cost, at.error) for name, (row, at) in shown.items() if row.state in JUDGED})
    left = spec.left_out(len(found) - len(shown), "backend", "of the table are not drawn")
    return Figure(
        kind=kind,
        title=f"Final error b²_max against {title} on {section.title}",
        caption=(
            "Lower left is better. The stepped line is the front: no backend drawn is better than one on it in both "
            "error and cost. Bars are 95 % intervals over rounds, from three rounds on. Crossed-out marks did not end "
            f"well or missed the target {TARGET}; what failed a diagnostic is not on the front. Point estimates keep "
            f"an error because they state no spread.{left}"
        ),
        spec=_chart(list(shown.values()), best, style, title),
        table="the results table",
        of=section.title,
    )


def place(row: Row, column: str, unit: float) -> Place | None:
    """Median over finished fits, warm ones for seconds; None without an error or the cost."""
    fits = row.tables.warm if column == "seconds_total" else row.tables.ok
    if row.b2_max is None or not math.isfinite(row.b2_max) or column not in fits:
        return None
    values = pd.to_numeric(fits[column], errors="coerce") / unit
    values = values[values > 0]
    if values.empty:
        return None
    error = max(row.b2_max, FLOOR)
    around = row.b2_interval and (max(row.b2_interval[0], FLOOR), max(row.b2_interval[1], FLOOR))
    return Place(
        float(values.median()), error, over_rounds(values, fits["round"], trim=column == "seconds_total"), around
    )


def over_rounds(values: pd.Series[float], rounds: pd.Series[int], *, trim: bool) -> tuple[float, float] | None:
    """95 % interval of the log over rounds, of each its median; None below MIN_ROUNDS."""
    logs = np.log(values.groupby(rounds.reindex(values.index)).median().to_numpy(float))
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
    height = labels.tall(len(shown) + 1)
    edge = x["scale"]["domain"][1]
    layers = [spec.layer([{"y": TARGET}], {"type": "rule", "color": INK, "strokeDash": [5, 4]}, y=y)]
    by_name = {row.label: at for row, at in shown}
    if best:
        corner = [{"x": by_name[n].cost, "y": by_name[n].error} for n in best]
        steps = [*corner, {"x": edge, "y": corner[-1]["y"]}]
        line = {"type": "line", "interpolate": "step-after", "color": MUTED, "strokeWidth": 1.5, "opacity": 0.7}
        rows = [{**step, "i": i} for i, step in enumerate(steps)]
        layers.append(spec.layer(rows, line, x=x, y=y, order={"field": "i", "type": "quantitative"}))
    crossed = [bar for row, at in shown for bar in _bars(row, at, style)]
    if crossed:
        layers.append(bars(crossed, x, y))
    layers += marks([(row, at.cost, at.error) for row, at in shown], style, x, y)
    ends = {row.label: (at.cost, at.error) for row, at in shown} | {"target": (edge, TARGET)}
    texts = {"target": f"target {TARGET}"} | {name: f"{spec.short(name)} (front)" for name in best}
    layers += labels.labelled(ends, style, x, y, height=height, texts=texts, bare=("target",))
    return spec.chart(layers, height=height, note=BETTER)


def _bars(row: Row, at: Place, style: Styles) -> list[dict[str, float | str]]:
    same: dict[str, float | str] = {"colour": style.get(row.label, PLAIN)[0], "hook": hook(style, row.label)}
    found: list[dict[str, float | str]] = []
    if at.cost_interval:
        low, high = at.cost_interval
        found.append({**same, "x": low, "x2": high, "y": at.error, "y2": at.error})
    if at.error_interval:
        low, high = at.error_interval
        found.append({**same, "x": at.cost, "x2": at.cost, "y": low, "y2": high})
    return found

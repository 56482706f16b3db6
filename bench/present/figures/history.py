"""A metric over runs, with the steps that were detected in it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.comparison.measures import Measure
from bench.comparison.series import Change, Point, Series
from bench.present.figures import labels, spec
from bench.present.figures.figure import Figure
from bench.present.figures.style import DASHES, SHAPES
from bench.present.palette import COLOURS
from bench.words import format as fmt

MOST = 60
"""Runs drawn, the latest: each has a mark and an interval."""
NAMES = 8
"""Runs whose date is written below the axis."""
Shown = Sequence[tuple[int, Point]]
"""The runs drawn, each with its place in the series."""


def history_figure(series: Series, measure: Measure) -> Figure | None:
    """The values of a series over its runs, with its steps; None without a finite value, above 0 on a log axis."""
    log = measure.scale == "ratio"
    known = [(i, p) for i, p in enumerate(series.points) if _finite(p.value) and (not log or (p.value or 0.0) > 0)]
    if not known:
        return None
    shown = known[-MOST:]
    title, metric = f"{series.name} on {series.machine}", ", ".join(filter(None, [measure.name, measure.unit]))
    left = spec.left_out(len(known) - len(shown), "older run")
    better = "lower" if measure.lower_is_better else "higher"
    return Figure(
        kind="history",
        title=f"{metric} over {fmt.count(len(shown), 'run')}: {title}",
        caption=(
            "Runs in the order they were made, evenly spaced, with intervals where rounds allow. "
            f"{better.capitalize()} is better. Lines join runs of one machine only: machines are not compared. "
            f"Vertical rules mark detected steps, with the ratio of the levels after and before.{left}"
        ),
        spec=_chart(shown, series, metric, log=log, note=f"{better} is better"),
        table="the table of the history",
        of=f"{title} {metric}",
    )


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _chart(shown: Shown, series: Series, metric: str, *, log: bool, note: str) -> spec.Json:
    steps = [step for step in series.steps if step.index > shown[0][0]]
    levels = [v for _, p in shown for v in (p.value, p.low, p.high)] + [v for s in steps for v in (s.before, s.after)]
    finite = [v for v in levels if v is not None and math.isfinite(v)]
    ends = (shown[0][0] - 0.6, shown[-1][0] + 0.6)
    x = {**spec.linear_axis("x", "", ends), "axis": _dates(shown), "title": None}
    if log:
        y = spec.log_axis("y", metric, spec.padded(finite))
    else:
        more = 0.06 * (max(finite) - min(finite) or 1.0)
        y = spec.linear_axis("y", metric, (min(finite) - more, max(finite) + more))
    least = y["scale"]["domain"][0]
    rows = [{"x": i, "y": p.value} for i, p in shown]
    around = [
        {"x": i, "y": max(p.low, least), "y2": p.high}
        for i, p in shown
        if p.low is not None and p.high is not None and math.isfinite(p.high)
    ]
    name, look = series.machine or "this machine", (COLOURS[0], SHAPES[0], DASHES[0])
    mark = {"type": "point", "filled": True, "size": 40, "opacity": 1, "color": look[0], "shape": look[1]}
    layers = [spec.layer(around, {"type": "rule", "color": look[0], "strokeWidth": 1}, x=x, y=y)] if around else []
    layers += [
        spec.layer(rows, {"type": "line", "color": look[0], "strokeDash": look[2], "opacity": 0.7}, x=x, y=y),
        spec.layer(rows, mark, x=x, y=y),
        *_steps(steps, shown, x, y),
    ]
    _, last = shown[-1]
    end = (float(shown[-1][0]), last.value or 0.0)
    return labels.chart(layers, {name: end}, {name: look}, x, y, width=420, note=note)


def _dates(shown: Shown) -> spec.Json:
    """Day and commit below every so many runs."""
    kept = shown[:: math.ceil(len(shown) / NAMES)]
    words = {i: f"{p.when[:10]} {p.commit[:7]}".strip() for i, p in kept}
    # Vega's expressions read a JSON object as one of their own.
    texts = "{" + ",".join(f"'{i}':'{_quoted(text)}'" for i, text in words.items()) + "}"
    return {
        "values": list(words), "labelExpr": f"{texts}[datum.value]", "grid": False, "labelAngle": -40,
        "labelAlign": "right", "title": None, "labelLimit": 200,
    }  # fmt: skip


def _quoted(text: str) -> str:
    return "".join(c for c in text if c.isalnum() or c in " -:._")


def _steps(steps: Sequence[Change], shown: Shown, x: spec.Json, y: spec.Json) -> list[spec.Json]:
    """A rule before the first run of the new level, labelled with the ratio; labels in turn at three heights."""
    if not steps:
        return []
    low, high = y["scale"]["domain"]
    log = y["scale"].get("type") == "log"
    middle = (shown[0][0] + shown[-1][0]) / 2
    left: list[spec.Json] = []
    right: list[spec.Json] = []
    for k, step in enumerate(steps):
        share = 0.97 - 0.07 * (k % 3)
        at = low * (high / low) ** share if log else low + share * (high - low)
        ratio = step.after / step.before if step.before else math.nan
        text = fmt.times(ratio) if log and math.isfinite(ratio) and ratio > 0 else fmt.significant(step.after, 2)
        (right if step.index > middle else left).append({"x": step.index - 0.5, "y": at, "text": text})
    layers = [spec.layer([*left, *right], {"type": "rule", **spec.DASHED}, x=x)]
    for rows, align, dx in ((left, "left", 4), (right, "right", -4)):
        if rows:
            layers.append(spec.words(rows, x, y, align=align, dx=dx, fontSize=spec.SMALL))
    return layers

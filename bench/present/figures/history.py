"""A metric over runs, with the steps that were detected in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from bench.present.figures import labels, spec
from bench.present.figures.figure import Figure
from bench.present.figures.style import DASHES, SHAPES
from bench.present.palette import COLOURS
from bench.words import format as fmt

MOST = 60
"""Runs drawn, the latest: each has a mark and an interval."""
NAMES = 8
"""Runs whose date is written below the axis."""


def history_figure(
    points: Sequence[Mapping[str, Any]],
    steps: Sequence[Mapping[str, Any]],
    *,
    title: str,
    metric: str,
    better: str = "lower",
    log: bool = True,
) -> Figure | None:
    """None without a finite value.

    `points` {run, when (ISO), commit, machine, value, low, high}, oldest first; low and high may be None. `steps`
    {index, before, after}: from the point of that index on (of its own machine) the level is `after`, until then
    `before`. `better` is lower, higher or none.
    """  # fmt: skip
    known = [(i, p) for i, p in enumerate(points) if _finite(p.get("value")) and (not log or p["value"] > 0)]
    if not known:
        return None
    shown = known[-MOST:]
    first = shown[0][0]
    seen = [step for step in steps if step["index"] > first]
    machines = list(dict.fromkeys(str(p.get("machine") or "") for _, p in shown))
    left = spec.left_out(len(known) - len(shown), "older run", "are not drawn")
    what = f" {better.capitalize()} is better." if better in ("lower", "higher") else ""
    return Figure(
        kind="history",
        title=f"{metric} over {fmt.count(len(shown), 'run')}: {title}",
        caption=(
            f"Runs in the order they were made, evenly spaced, with intervals where rounds allow.{what} Lines join "
            "runs of one machine only: machines are not compared. Vertical rules mark detected steps, with the ratio "
            f"of the levels after and before.{left}"
        ),
        spec=_chart(shown, seen, machines, metric, log=log, better=better),
        table="the table of the history",
        of=f"{title} {metric}",
    )


def _finite(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _chart(
    shown: Sequence[tuple[int, Mapping[str, Any]]], steps: Sequence[Mapping[str, Any]], machines: Sequence[str],
    metric: str, *, log: bool, better: str,
) -> spec.Json:  # fmt: skip
    low, high = shown[0][0] - 0.6, shown[-1][0] + 0.6
    levels = [float(v) for p in (p for _, p in shown) for v in (p["value"], p.get("low"), p.get("high")) if _finite(v)]
    levels += [float(v) for s in steps for v in (s["before"], s["after"]) if _finite(v)]
    x = {**spec.linear_axis("x", "", (low, high)), "axis": _dates(shown), "title": None}
    if log:
        y = spec.log_axis("y", metric, spec.padded(v for v in levels if v > 0))
    else:
        more = 0.06 * (max(levels) - min(levels) or 1.0)
        y = spec.linear_axis("y", metric, (min(levels) - more, max(levels) + more))
    layers, ends, looks = [], {}, {}
    for k, machine in enumerate(machines):
        name, own = machine or "this machine", [(i, p) for i, p in shown if str(p.get("machine") or "") == machine]
        colour, shape, dash = looks[name] = (
            COLOURS[k % len(COLOURS)], SHAPES[k % len(SHAPES)], DASHES[k % len(DASHES)],
        )  # fmt: skip
        rows = [{"x": i, "y": p["value"]} for i, p in own]
        around = [
            {"x": i, "y": max(p["low"], y["scale"]["domain"][0]), "y2": p["high"]}
            for i, p in own
            if _finite(p.get("low")) and _finite(p.get("high"))
        ]
        if around:
            bar = {"type": "rule", "color": colour, "strokeWidth": 1}
            layers.append(spec.layer(around, bar, x=x, y=y, y2={"field": "y2"}))
        layers.append(spec.layer(rows, {"type": "line", "color": colour, "strokeDash": dash, "opacity": 0.7}, x=x, y=y))
        mark = {"type": "point", "filled": True, "size": 40, "opacity": 1, "color": colour, "shape": shape}
        layers.append(spec.layer(rows, mark, x=x, y=y))
        ends[name] = (float(rows[-1]["x"]), float(rows[-1]["y"]))
    layers += _steps(steps, shown, x, y)
    note = f"{better} is better" if better in ("lower", "higher") else ""
    return labels.chart(layers, ends, looks, x, y, width=420, note=note)


def _dates(shown: Sequence[tuple[int, Mapping[str, Any]]]) -> spec.Json:
    """Day and commit below every so many runs."""
    kept = shown[:: math.ceil(len(shown) / NAMES)]
    words = {i: f"{str(p.get('when') or '')[:10]} {str(p.get('commit') or '')[:7]}".strip() for i, p in kept}
    # Vega's expressions read a JSON object as one of their own.
    texts = "{" + ",".join(f"'{i}':'{_quoted(text)}'" for i, text in words.items()) + "}"
    return {
        "values": list(words), "labelExpr": f"{texts}[datum.value]", "grid": False, "labelAngle": -40,
        "labelAlign": "right", "title": None, "labelLimit": 200,
    }  # fmt: skip


def _quoted(text: str) -> str:
    return "".join(c for c in text if c.isalnum() or c in " -:._")


def _steps(
    steps: Sequence[Mapping[str, Any]], shown: Sequence[tuple[int, Mapping[str, Any]]], x: spec.Json, y: spec.Json
) -> list[spec.Json]:
    """A rule before the first run of the new level, labelled with the ratio; labels in turn at three heights."""
    if not steps:
        return []
    low, high = y["scale"]["domain"]
    log = y["scale"].get("type") == "log"
    middle = (shown[0][0] + shown[-1][0]) / 2
    left: list[spec.Json] = []
    right: list[spec.Json] = []
    for k, step in enumerate(sorted(steps, key=lambda s: s["index"])):
        share = 0.97 - 0.07 * (k % 3)
        at = low * (high / low) ** share if log else low + share * (high - low)
        ratio = step["after"] / step["before"] if step["before"] else math.nan
        text = fmt.times(ratio) if log and math.isfinite(ratio) and ratio > 0 else fmt.significant(step["after"], 2)
        (right if step["index"] > middle else left).append({"x": step["index"] - 0.5, "y": at, "text": text})
    layers = [spec.layer([*left, *right], {"type": "rule", **spec.DASHED}, x=x)]
    for rows, align, dx in ((left, "left", 4), (right, "right", -4)):
        if rows:
            layers.append(spec.words(rows, x, y, align=align, dx=dx, fontSize=spec.SMALL))
    return layers

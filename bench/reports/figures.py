"""Error against seconds: a Vega-Lite specification, drawn by vl-convert as static SVG that needs no script."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from bench.palette import COLOURS, GRID, INK, MUTED
from bench.reports.contender import TARGET
from bench.reports.sections import Row, Section

SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [10, 2])
POINTS = 200
HEIGHT, WIDTH = 250, 280
LABEL_GAP = 16 / HEIGHT
FLOOR = 1e-5
NAME = {"field": "name", "type": "nominal"}

Style = tuple[str, str, list[int]]


def styles(sections: Iterable[Section]) -> dict[str, Style]:
    """{label: (colour, marker shape, dash)} over the whole run; beyond six the colour is the framework's."""
    labels = list(dict.fromkeys(r.label for s in sections for r in s.rows if r.kind != "exact" and r.reps))
    frameworks = list(dict.fromkeys(name.split(".")[0] for name in labels))
    variant = {f: [name for name in labels if name.split(".")[0] == f] for f in frameworks}
    found = {}
    for i, name in enumerate(labels):
        family = name.split(".")[0]
        which = i if len(labels) <= len(COLOURS) else frameworks.index(family)
        mark = i if len(labels) <= len(SHAPES) else variant[family].index(name)
        found[name] = (COLOURS[which % len(COLOURS)], SHAPES[mark % len(SHAPES)], DASHES[mark % len(DASHES)])
    return found


def error_against_seconds(section: Section, style: dict[str, Style], *, cold: bool) -> str:
    """SVG of b²_avg against cold or warm seconds, log-log; empty where nothing was measured."""
    lines = {r.label: points for r in section.rows if len(points := trajectory(r, cold=cold))}
    if not lines:
        return ""
    import vl_convert

    chart = _chart(lines, {**{name: (MUTED, "circle", [1, 0]) for name in lines}, **style}, cold=cold)
    return str(vl_convert.vegalite_to_svg(chart))


def trajectory(row: Row, *, cold: bool) -> pd.DataFrame:
    """Columns seconds, error: mean b²_avg over reps at each checkpoint against its median seconds."""
    curves, column = row.tables.curves, "seconds_cold" if cold else "seconds"
    wanted = row.tables.fits.loc[(row.tables.fits["cold"].astype(bool) == cold), "rep"]
    curves = curves[(curves["metric"] == "b2_avg") & curves["rep"].isin(wanted)]
    path = curves.groupby("step").agg(seconds=(column, "median"), error=("value", "mean")).reset_index(drop=True)
    end = row.cold if cold else row.warm
    stored = row.tables.across("b2_avg")
    final = row.tables.values("b2_avg")["value"].mean() if stored is None else stored
    if path.empty and end is not None and not pd.isna(final):
        path = pd.DataFrame({"seconds": [end], "error": [final]})
    path = path[(path["seconds"] > 0) & (path["error"] < math.inf)].sort_values("seconds")
    path = path.assign(error=path["error"].clip(lower=FLOOR))
    if len(path) > POINTS:
        path = path.iloc[sorted({round(i * (len(path) - 1) / (POINTS - 1)) for i in range(POINTS)})]
    return path


def _chart(lines: dict[str, pd.DataFrame], style: dict[str, Style], *, cold: bool) -> dict[str, Any]:
    """The specification, as plain data: building it through Altair's classes takes longer than drawing it."""
    everything = pd.concat([*lines.values(), pd.DataFrame({"error": [TARGET]})])
    x_domain = _padded(everything["seconds"].min(), everything["seconds"].max())
    y_domain = _padded(everything["error"].min(), everything["error"].max())
    x = _encoding("seconds", f"{'cold' if cold else 'warm'} seconds", x_domain)
    y = _encoding("error", "b²_avg (lower is better)", y_domain)
    left = {"type": "text", "align": "left"}
    layers = [
        _layer([{"error": TARGET}], {"type": "rule", "color": INK, "strokeDash": [5, 4]}, y=y),
        _layer(
            [{"error": TARGET, "seconds": x_domain[0], "name": f"target {TARGET}"}],
            {**left, "dx": 4, "dy": -6, "color": MUTED, "fontSize": 11}, x=x, y=y, text=NAME,
        ),
    ]  # fmt: skip
    places = _spread({name: float(p["error"].iloc[-1]) for name, p in lines.items()}, y_domain)
    for name, path in lines.items():
        colour, shape, dash = style[name]
        last, fill = path.iloc[-1], "transparent" if colour == MUTED else colour
        line = {"type": "line", "color": colour, "strokeWidth": 2, "strokeDash": dash}
        if len(path) > 1:
            layers.append(_layer(path.to_dict("records"), line, x=x, y=y))
        end = {"seconds": x_domain[1], "error": places[name]}
        lead = [{"seconds": last["seconds"], "error": last["error"]}, end]
        layers.append(_layer(lead, {"type": "line", "color": MUTED, "strokeWidth": 0.6}, x=x, y=y))
        mark = {"type": "point", "color": colour, "fill": fill, "shape": shape, "size": 75, "opacity": 1}
        layers.append(_layer([dict(last)], mark, x=x, y=y))
        text = {**left, "dx": 6, "color": INK, "fontSize": 13}
        layers.append(_layer([{**end, "name": name}], text, x=x, y=y, text=NAME))
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": WIDTH,
        "height": HEIGHT,
        "background": "transparent",
        "layer": layers,
        "config": {
            "font": "sans-serif",
            "view": {"stroke": GRID},
            "axis": {
                "labelColor": INK, "titleColor": INK, "gridColor": GRID, "domainColor": MUTED, "tickColor": MUTED,
                "labelFontSize": 12, "titleFontSize": 13, "titleFontWeight": "normal",
            },
        },
    }  # fmt: skip


def _layer(rows: list[dict[Any, Any]], mark: dict[str, Any], **encoding: Any) -> dict[str, Any]:
    values = [{str(k): v if isinstance(v, str) else float(v) for k, v in row.items()} for row in rows]
    return {"data": {"values": values}, "mark": mark, "encoding": encoding}


def _encoding(field: str, title: str, domain: tuple[float, float]) -> dict[str, Any]:
    """A log axis over `domain`, labelled at powers of ten."""
    scale = {"type": "log", "domain": list(domain), "nice": False}
    decades = [10.0**k for k in range(math.ceil(math.log10(domain[0])), math.floor(math.log10(domain[1])) + 1)]
    if len(decades) > 7:
        decades = decades[:: math.ceil(len(decades) / 7)]
    small = "datum.value < 0.001 || datum.value >= 10000 ? format(datum.value, '.0e') : format(datum.value, '~r')"
    axis: dict[str, Any] = {"values": decades, "labelExpr": small}
    if len(decades) < 2:
        axis = {"tickCount": 4, "labelExpr": "format(datum.value, '~r')"}
    return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": axis}


def _padded(low: float, high: float) -> tuple[float, float]:
    share = 0.05 * max(math.log(high / low), 1.0)
    return low * math.exp(-share), high * math.exp(share)


def _spread(ends: dict[str, float], domain: tuple[float, float]) -> dict[str, float]:
    """Heights of the labels at the right edge: those of the curve ends, moved apart until none overlap."""
    low, span = math.log(domain[0]), math.log(domain[1] / domain[0])
    order = sorted(ends, key=lambda name: (ends[name], name))
    heights = [(math.log(ends[name]) - low) / span for name in order]
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + LABEL_GAP)
    top = 1.0
    for i in reversed(range(len(heights))):
        heights[i] = min(heights[i], top)
        top = heights[i] - LABEL_GAP
    return {name: math.exp(low + span * h) for name, h in zip(order, heights, strict=True)}

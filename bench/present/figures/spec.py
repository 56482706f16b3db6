"""Pieces that all specifications are made of, as plain data: Altair's classes take longer to build than to draw."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.present.palette import GRID, INK, MUTED
from bench.types import Array
from bench.words import format as fmt
from bench.words.clean import clean

WIDTH, HEIGHT = 330, 270
POINTS = 200
TEXT, SMALL = 13, 12
MOST = 12
"""Backends that one figure can tell apart."""
LONGEST = 30
WIDER = 1.3
"""Pixels by which a character of DejaVu Sans, of `TEXT` size, is wider than one of Arial, on average."""
SHARES = (-0.02, 1.02)
"""Domain of an axis of shares: lines at 0 and 1 stand clear of the frame."""
CROSS = "M-.6,-.6L.6,.6M.6,-.6L-.6,.6"
"""× as a path in the unit that symbols are scaled by."""
STEP: dict[str, Any] = {"interpolate": "step-after"}
DASHED: dict[str, Any] = {"color": INK, "strokeDash": [5, 4]}
Domain = tuple[float, float]
Json = dict[str, Any]


def chart(
    layers: Sequence[Json], *, width: int = WIDTH, height: int = HEIGHT, note: str = "", texts: Iterable[str] = ()
) -> Json:
    """A chart of layers; `note` stands above it, at the left. At its right edge there is room for these `texts`.

    That is more than they need by the widths of the font that they are measured in: readers may have a wider one.
    """
    right = max(map(len, texts), default=0) * WIDER
    padding = {"left": 5, "top": 5, "bottom": 5, "right": 5 + round(right)}
    return {**_frame(note), "padding": padding, "width": width, "height": height, "layer": list(layers)}


def panels(charts: Sequence[Json], *, columns: int, note: str = "", texts: Iterable[str] = ()) -> Json:
    """Small charts in rows; at their left edge there is room for these `texts`, as `chart` says."""
    padding = {"left": 5 + round(max(map(len, texts), default=0) * WIDER), "top": 5, "bottom": 5, "right": 5}
    return {**_frame(note), "padding": padding, "concat": list(charts), "columns": columns, "spacing": 18}


def _frame(note: str) -> Json:
    title = {
        "text": clean(note).split("\n"), "anchor": "start", "frame": "group", "fontSize": SMALL, "fontWeight": "normal",
        "color": MUTED, "offset": 8, "font": "sans-serif",
    }  # fmt: skip
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": "transparent",
        **({"title": title} if note else {}),
        "config": {
            "font": "sans-serif",
            "view": {"stroke": GRID},
            "title": {"color": INK, "fontSize": SMALL},
            "axis": {
                "aria": False,
                "labelColor": INK, "titleColor": INK, "gridColor": GRID, "domainColor": MUTED, "tickColor": MUTED,
                "labelFontSize": SMALL, "titleFontSize": TEXT, "titleFontWeight": "normal",
            },
        },
    }  # fmt: skip


def layer(rows: Iterable[Mapping[str, Any]], mark: Json, **encoding: Any) -> Json:
    """Marks of these rows, which span to `x2` and `y2` and bear the class `hook` where rows have these."""
    values = [{str(k): _plain(v) for k, v in row.items()} for row in rows]
    fields = {"x2": {"field": "x2"}, "y2": {"field": "y2"}, "description": HOOK}
    own = {k: channel for k, channel in fields.items() if values and channel["field"] in values[0]}
    return {"data": {"values": values}, "mark": mark, "encoding": own | encoding}


def _plain(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else None if value is None else float(value)


def path(corners: Iterable[tuple[float, float | None]], x: Json, y: Json, **mark: Any) -> Json:
    """A line through corners (x, y) in their order, broken where y is None."""
    rows = [{"x": a, "y": b, "i": i} for i, (a, b) in enumerate(corners)]
    return layer(rows, {"type": "line", **mark}, x=x, y=y, order={"field": "i", "type": "quantitative"})


def level(value: float, y: Json) -> Json:
    """A dashed line across the whole chart."""
    return layer([{"y": value}], {"type": "rule", **DASHED}, y=y)


def words(rows: Iterable[Mapping[str, Any]], x: Json, y: Json, *, field: str = "text", **look: Any) -> Json:
    """Texts at their places; `look` is the mark's alignment, distance and so on; rows may have a `hook`."""
    mark = {"type": "text", "baseline": "middle", "fontSize": TEXT, "color": INK, **look}
    return layer(rows, mark, x=x, y=y, text={"field": field})


def rows_axis(first: float, last: float) -> Json:
    """An axis `y` of rows from top to bottom, without labels: names stand beside their rows."""
    scale = {"domain": [last, first], "nice": False, "zero": False}
    return {"field": "y", "type": "quantitative", "title": None, "axis": None, "scale": scale}


def log_axis(field: str, title: str, domain: Domain, *, suffix: str = "", grid: bool = True) -> Json:
    """A log axis over `domain`, labelled at powers of ten, or at 1, 2, 5 or finer where these are too few."""
    number = "datum.value < 0.001 || datum.value >= 100000 ? format(datum.value, '.0e') : format(datum.value, '~r')"
    axis: Json = {"values": ticks(domain), "labelExpr": f"({number}) + '{suffix}'", "grid": grid}
    scale = {"type": "log", "domain": list(domain), "nice": False}
    return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": axis}


def linear_axis(field: str, title: str, domain: Domain, *, percent: bool = False) -> Json:
    """A linear axis over `domain`."""
    axis: Json = {"tickCount": 5, "format": "~%" if percent else "~r"}
    scale = {"domain": list(domain), "nice": False, "zero": False}
    return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": axis}


def ticks(domain: Domain) -> list[float]:
    """At most eight values that a log axis is labelled at, at least two where the domain allows it."""
    low, high = domain
    span = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.2, 1.5, 2, 3, 4, 5, 7), tuple(1 + i / 20 for i in range(180))):
        values = [float(f"{m * 10.0**k:.6g}") for k in span for m in steps]
        values = [v for v in values if low <= v <= high]
        if len(values) >= 3 or (len(steps) > 3 and len(values) >= 2):
            break
    return values[:: math.ceil(len(values) / 8)] if values else [low]


def padded(values: Iterable[float], share: float = 0.05) -> Domain:
    """The range of positive values, wider by `share` of itself on the log scale at either end; at least e wide."""
    positive = [v for v in values if v > 0 and math.isfinite(v)]
    low, high = min(positive), max(positive)
    more = share * max(math.log(high / low), 1.0)
    return low * math.exp(-more), high * math.exp(more)


def thinned(x: Array, most: int = POINTS) -> npt.NDArray[np.intp]:
    """Indices of at most `most` of the ascending positive x, log-spaced, both ends among them."""
    if len(x) <= most:
        return np.arange(len(x))
    at = np.searchsorted(x, np.geomspace(x[0], x[-1], most - 2)).clip(0, len(x) - 1)
    return np.unique([0, *at, len(x) - 1])


def short(label: str) -> str:
    """A label that fits beside a figure; the tables have it whole."""
    label = clean(label)
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 2]} …"


def symbols(rows: Iterable[Mapping[str, Any]], x: Json, y: Json, **look: Any) -> Json:
    """Filled marks, each with its `colour`, `shape` and `hook`, by which lines are told apart without colour."""
    mark = {"type": "point", "filled": True, "size": 45, "opacity": 1, "strokeWidth": 1, **look}
    return layer(rows, mark, x=x, y=y, color=drawn("colour"), shape=drawn("shape"))


HOOK: Json = {"field": "hook", "type": "nominal"}


def drawn(field: str) -> Json:
    """A channel whose field holds what is drawn (a colour, a shape, a size), not what a scale makes of it."""
    return {"field": field, "type": "nominal", "scale": None, "legend": None}


def left_out(number: int, noun: str, which: str = "", *, what: str = "not drawn") -> str:
    """A sentence of what a figure does not show, `which` of them and `what` they are; empty where it shows all."""
    words = (fmt.count(number, noun), which, "is" if number == 1 else "are", what)
    return f" {' '.join(filter(None, words))}." if number else ""

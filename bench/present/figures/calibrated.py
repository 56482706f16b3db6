"""ECDF differences of the truths' ranks with their simultaneous bands, a panel per quantity (Säilynoja et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.calibration.bands import Band, counts
from bench.present.figures import spec
from bench.present.figures.figure import Figure
from bench.present.palette import COLOURS, GRID, INK, MUTED
from bench.types import Array

if TYPE_CHECKING:
    from bench.calibration.quantities import Quantity, Ranked

COLUMNS = 3
WIDE, HIGH = 170, 120
INSIDE, OUTSIDE = COLOURS[:2]
Edges = tuple[Array, Array]


def calibration_figure(ranked: Ranked, title: str, *, most: int) -> Figure:
    """The `most` least probable quantities of a calibrated cell; `title` names the cell."""
    shown = sorted(ranked.quantities, key=lambda q: (q.p_value, q.name))[:most]
    n, draws = len(shown[0].ranks), ranked.draws
    inner, outer = (_edges(band, draws, n) for band in (ranked.inner, ranked.outer))
    curves = [difference(quantity, draws) for quantity in shown]
    reach = 1.05 * float(np.abs([*inner, *outer, *curves]).max())
    panels = [
        _panel(quantity, curve, inner, outer, reach, first=i % COLUMNS == 0)
        for i, (quantity, curve) in enumerate(zip(shown, curves, strict=True))
    ]
    left = spec.left_out(len(ranked.quantities) - len(shown), "quantity", "with a larger p-value")
    return Figure(
        kind="calibration",
        title=f"Ranks of the truth among the draws of {title}",
        caption=(
            f"{n} data sets; share of truths ranked below, minus the share expected. A calibrated quantity stays "
            "inside: shaded the 95 % band of one quantity, dashed the verdict's, 99 % of all at once. A hill at the "
            "left and a valley at the right: too narrow; the reverse: too wide; one hill: biased high; one valley: "
            f"biased low.{left}"
        ),
        spec=spec.panels(panels, columns=COLUMNS),
        table="the calibration's table of quantities",
        of=title,
    )


def difference(quantity: Quantity, draws: int) -> Array:
    """ECDF of the ranks minus the uniform one at 0, 1/(L + 1), …, 1: (L + 2,)."""
    below = np.concatenate([[0.0], counts(quantity.ranks, draws), [n := len(quantity.ranks)]]) / n
    return np.asarray(below - np.arange(draws + 2) / (draws + 1))


def _edges(band: Band, draws: int, n: int) -> Edges:
    """Lower and upper edge as differences of shares, 0 at both ends."""
    at = np.arange(1, draws + 1) / (draws + 1)
    low, high = (np.concatenate([[0.0], np.asarray(edge) / n - at, [0.0]]) for edge in (band.lower, band.upper))
    return low, high


def _panel(quantity: Quantity, curve: Array, inner: Edges, outer: Edges, reach: float, *, first: bool) -> spec.Json:
    at = np.arange(len(curve)) / (len(curve) - 1)
    kept = np.unique(np.linspace(0, len(at) - 1, min(len(at), spec.POINTS // 2)).astype(int))
    x = spec.linear_axis("x", "rank of the truth / L", (0.0, 1.0))
    y = spec.linear_axis("y", "ECDF − expected" if first else "", (-reach, reach))
    for axis in (x, y):
        axis["axis"] |= {"tickCount": 3, "grid": False}
    colour, width = (OUTSIDE, 2.2) if quantity.outside else (INSIDE, 1.6)

    def line(values: Array, **look: object) -> spec.Json:
        rows = [{"x": at[i], "y": values[i]} for i in kept]
        return spec.layer(rows, {"type": "line", **look}, x=x, y=y)

    band = [{"x": at[i], "y": inner[0][i], "y2": inner[1][i]} for i in kept]
    layers = [
        spec.layer(band, {"type": "area", "color": GRID, "opacity": 0.8}, x=x, y=y),
        spec.layer([{"y": 0.0}], {"type": "rule", "color": MUTED, "strokeWidth": 0.8}, y=y),
        *(line(v, color=INK, strokeWidth=0.8, strokeDash=[4, 2]) for v in outer),
        line(curve, color=colour, strokeWidth=width),
    ]
    words = quantity.words or f"inside, p = {quantity.p_value:.2g}"
    title = {
        "text": [spec.short(quantity.name), spec.short(words)], "fontSize": spec.SMALL, "anchor": "start",
        "fontWeight": "bold" if quantity.outside else "normal", "offset": 4, "color": INK,
    }  # fmt: skip
    return {"width": WIDE, "height": HIGH, "layer": layers, "title": title}

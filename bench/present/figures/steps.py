"""Shares that rise in steps, one line per backend: what profiles and shares of targets solved have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bench.present.figures import labels, spec
from bench.present.figures.style import Styles, look

Corners = Sequence[tuple[float, float]]


class Steps(NamedTuple):
    """Corners (x, share) of a backend's steps, which of them have a mark, and what is said at their end."""

    corners: Corners
    marked: Corners
    text: str


def ecdf(values: Sequence[float], total: int) -> list[tuple[float, float]]:
    """Corners (value, share of `total` at or below it) of the step function."""
    at, counts = np.unique(np.asarray(values, dtype=float), return_counts=True)
    return list(zip(at.tolist(), (np.cumsum(counts) / total).tolist(), strict=True))


def steps_chart(
    curves: Mapping[str, Steps], style: Styles, x: spec.Json, *, title: str, stopped: bool = False
) -> spec.Json:
    """The chart; `title` is of the shares' axis, `stopped` puts a cross where a curve ends."""
    y = spec.linear_axis("y", title, spec.SHARES, percent=True)
    layers = [
        spec.path(curve.corners, x, y, **spec.STEP, **look(style, name).line(2)) for name, curve in curves.items()
    ]
    marks = [{**look(style, name).row, "x": a, "y": b} for name, curve in curves.items() for a, b in curve.marked if b]
    layers.append(spec.symbols(marks, x, y))
    ends = {name: curve.corners[-1] for name, curve in curves.items()}
    if stopped:
        stops = [{**look(style, name).row, "x": a, "y": b} for name, (a, b) in ends.items()]
        cross = {"type": "point", "shape": spec.CROSS, "size": 90, "strokeWidth": 2, "opacity": 1}
        layers.append(spec.layer(stops, cross, x=x, y=y, color=spec.drawn("colour")))
    texts = {name: curve.text for name, curve in curves.items()}
    note = f"upper left is better{'; ×: its data end' * stopped}"
    return labels.chart(layers, ends, style, x, y, texts=texts, note=note)

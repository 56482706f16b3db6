"""Every fit a dot: a few numbers are shown, not summarised."""

from __future__ import annotations

import pandas as pd

from bench.analysis.sections import Row, Section
from bench.present.figures import spec
from bench.present.figures.figure import Figure
from bench.present.figures.style import PLAIN, Styles, hook
from bench.present.palette import INK
from bench.words import format as fmt

DOTS = 160
"""Marks that one figure holds."""
ROW = 30


def seeds_figure(section: Section, style: Styles) -> Figure | None:
    """Warm seconds of every rep, a row per backend, rounds from top to bottom; None without a warm rep."""
    rows = [row for row in section.rows if row.kind != "exact" and len(row.tables.warm)]
    shown = rows[: spec.MOST]
    if not shown:
        return None
    medians = sum(len(row.tables.warm) for row in shown) > DOTS
    found = {row.label: dots(row, medians=medians) for row in shown}
    what = "round's median" if medians else "warm fit"
    left = spec.left_out(len(rows) - len(shown), "backend", "of the table are not drawn")
    return Figure(
        kind="seeds",
        title=f"Warm seconds of every {'round' if medians else 'fit'} on {section.title}",
        caption=(
            f"Every mark is a {what}; farther left is faster. Within a row the rounds, each a process of its own, "
            f"run from top to bottom, so a drift of the machine shows as a slope.{left}"
        ),
        spec=_chart(shown, found, style),
        table="the table of fits",
        of=section.title,
    )


def dots(row: Row, *, medians: bool) -> list[tuple[int, float]]:
    """(round, seconds) of every warm rep, or of every round its median."""
    warm = row.tables.warm.sort_values("rep")
    seconds = pd.to_numeric(warm["seconds_total"], errors="coerce")
    warm = warm.assign(took=seconds)[seconds > 0]
    if medians:
        grouped = warm.groupby("round")["took"].median()
        return [(int(str(k)), float(v)) for k, v in grouped.items()]
    return [(int(k), float(v)) for k, v in zip(warm["round"], warm["took"], strict=True)]


def _chart(shown: list[Row], found: dict[str, list[tuple[int, float]]], style: Styles) -> spec.Json:
    x = spec.log_axis("x", "warm seconds", spec.padded(t for ways in found.values() for _, t in ways))
    scale = {"domain": [len(shown) - 0.5, -0.5], "nice": False, "zero": False}
    y: spec.Json = {"field": "y", "type": "quantitative", "title": None, "axis": None, "scale": scale}
    marks, names, lines = [], [], []
    for i, row in enumerate(shown):
        colour, shape, _ = style.get(row.label, PLAIN)
        rounds = sorted({k for k, _ in found[row.label]})
        for k, took in found[row.label]:
            off = 0.0 if len(rounds) < 2 else 0.64 * rounds.index(k) / (len(rounds) - 1) - 0.32
            marks.append({"x": took, "y": i + off, "colour": colour, "shape": shape, "hook": hook(style, row.label)})
        times = pd.Series([t for _, t in found[row.label]])
        names.append(
            {"y": i, "x": x["scale"]["domain"][0], "text": spec.short(row.label), "hook": hook(style, row.label)}
        )
        lines.append({"y": i, "x": x["scale"]["domain"][1], "text": f"median {fmt.seconds(float(times.median()))}"})
    text = {"type": "text", "baseline": "middle", "fontSize": spec.TEXT, "color": INK}
    layers = [
        spec.layer(
            marks, {"type": "point", "size": 34, "opacity": 0.85, "strokeWidth": 1.4}, x=x, y=y,
            color=spec.drawn("colour"), shape=spec.drawn("shape"), description=spec.HOOK,
        ),
        spec.layer(
            names, {**text, "align": "right", "dx": -8}, x=x, y=y, text={"field": "text"}, description=spec.HOOK,
        ),
        spec.layer(lines, {**text, "align": "left", "dx": 8}, x=x, y=y, text={"field": "text"}),
    ]  # fmt: skip
    return spec.chart(layers, width=340, height=ROW * len(shown))

"""Every fit a dot: a few numbers are shown, not summarised."""

from __future__ import annotations

import statistics

from bench.analysis import columnar
from bench.analysis.sections import Row, Section
from bench.present.figures import spec
from bench.present.figures.figure import Figure
from bench.present.figures.style import Styles, look
from bench.words import format as fmt

DOTS = 160
"""Marks that one figure holds."""
ROW = 30


def seeds_figure(section: Section, style: Styles) -> Figure | None:
    """Warm seconds of every rep, a row per backend, rounds from top to bottom; None without a warm rep."""
    rows = [row for row in section.rows if row.kind != "exact" and len(row.tables.floats("rep", cold=False))]
    shown = rows[: spec.MOST]
    if not shown:
        return None
    medians = sum(len(row.tables.floats("rep", cold=False)) for row in shown) > DOTS
    times = {row.label: found for row in shown if (found := dots(row, medians=medians))}
    if not times:  # no phase of any fit was timed
        return None
    what = "round's median" if medians else "warm fit"
    left = spec.left_out(len(rows) - len(shown), "backend", "of the table")
    return Figure(
        kind="seeds",
        title=f"Warm seconds of every {'round' if medians else 'fit'} on {section.title}",
        caption=(
            f"Every mark is a {what}; farther left is faster. Within a row the rounds, each a process of its own, "
            f"run from top to bottom, so a drift of the machine shows as a slope.{left}"
        ),
        spec=_chart(times, style),
        table="the table of fits",
        where="fits.csv",
        of=section.title,
    )


def dots(row: Row, *, medians: bool) -> list[tuple[int, float]]:
    """(round, seconds) of every warm rep, or of every round its median."""
    rounds, seconds = (row.tables.floats(column, cold=False) for column in ("round", "seconds_total"))
    rounds, seconds = rounds[seconds > 0], seconds[seconds > 0]
    pairs = columnar.medians(rounds, seconds).items() if medians else zip(rounds, seconds, strict=True)
    return [(int(k), float(v)) for k, v in pairs]


def _chart(times: dict[str, list[tuple[int, float]]], style: Styles) -> spec.Json:
    x = spec.log_axis("x", "warm seconds", spec.padded(t for dots in times.values() for _, t in dots))
    y = spec.rows_axis(-0.5, len(times) - 0.5)
    left, right = x["scale"]["domain"]
    marks, names, medians = [], [], []
    for i, (name, dots) in enumerate(times.items()):
        its = look(style, name)
        rounds = sorted({k for k, _ in dots})
        for k, took in dots:
            off = 0.0 if len(rounds) < 2 else 0.64 * rounds.index(k) / (len(rounds) - 1) - 0.32
            marks.append({**its.row, "x": took, "y": i + off})
        names.append({"y": i, "x": left, "text": spec.short(name), "hook": its.hook})
        medians.append({"y": i, "x": right, "text": f"median {fmt.seconds(statistics.median(t for _, t in dots))}"})
    layers = [
        spec.symbols(marks, x, y, filled=False, size=34, opacity=0.85, strokeWidth=1.4),
        spec.words(names, x, y, align="right", dx=-8),
        spec.words(medians, x, y, align="left", dx=8),
    ]
    return spec.chart(layers, width=340, height=ROW * len(times))

"""A history as one HTML page: a figure and a table per series, no network, no scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from markupsafe import Markup

from bench.compare.measures import Measure
from bench.compare.series import Series
from bench.present.history import words
from bench.present.templates import environment

FIGURES = 40
"""Figures drawn at most, those with steps first; the tables are all there."""


def render(series: Sequence[Series], measure: Measure, *, level: float) -> str:
    """The page; the same series give the same bytes."""
    ordered = words.gravest_first(series)
    figures = _figures(ordered[:FIGURES], measure)
    return (
        environment()
        .get_template("history.html.j2")
        .render(
            title=f"History of {measure.name}",
            headline=words.headline(series, measure),
            blocks=[_block(one, measure, *figures.get(i, ("", Markup("")))) for i, one in enumerate(ordered)],
            undrawn=max(len(series) - FIGURES, 0),
            method=words.method(level),
        )
    )


def _figures(series: Sequence[Series], measure: Measure) -> dict[int, tuple[str, Markup]]:
    """(caption, SVG) by place."""
    from bench.present.figures import draw, history_figure

    figures = {
        i: history_figure(
            [{**asdict(p), "machine": one.machine} for p in one.points],
            [asdict(change) for change in one.steps],
            title=f"{one.name} on {one.machine}",
            metric=f"{measure.name}, {measure.unit}" if measure.unit else measure.name,
            better="lower" if measure.lower_is_better else "higher",
            log=measure.scale == "ratio",
        )
        for i, one in enumerate(series)
        if len(one.measured) > 1
    }
    known = {i: figure for i, figure in figures.items() if figure is not None}
    svgs = draw(known.values())
    # Trusted markup: the drawing library escapes what it draws.
    return {i: (f.caption, Markup(svgs[f.key])) for i, f in known.items() if f.key in svgs}  # noqa: S704


def _block(one: Series, measure: Measure, caption: str, figure: Markup) -> dict[str, Any]:
    return {
        "name": one.name,
        "machine": one.machine,
        "steps": [words.step(measure, one, change) for change in one.steps],
        "caption": caption,
        "figure": figure,
        "titles": (*words.RUN, "rounds"),
        "rows": [
            {"cells": (*words.run(measure, p), str(p.rounds or "")), "step": i in one.starts}
            for i, p in enumerate(one.points)
        ],
    }

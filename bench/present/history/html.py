"""A history as one HTML page: a figure and a table per series, no network, no scripts."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bench.comparison.measures import Measure
from bench.comparison.series import Series
from bench.present.history import words
from bench.present.templates import environment

FIGURES = 40
"""Figures drawn at most, those with steps first; the tables are all there."""


def render(series: Sequence[Series], measure: Measure, *, level: float) -> str:
    """The page; the same series give the same bytes."""
    ordered = words.gravest_first(series)
    return (
        environment()
        .get_template("history.html.j2")
        .render(
            title=f"History of {measure.name}",
            headline=words.headline(series, measure),
            series=ordered,
            measure=measure,
            words=words,
            figures=_figures(ordered[:FIGURES], measure),
            undrawn=max(len(series) - FIGURES, 0),
            method=words.method(level),
        )
    )


def _figures(series: Sequence[Series], measure: Measure) -> dict[int, tuple[str, Markup]]:
    """(caption, SVG) by place."""
    from bench.present.figures import draw, history_figure

    figures = {i: history_figure(one, measure) for i, one in enumerate(series) if len(one.measured) > 1}
    known = {i: figure for i, figure in figures.items() if figure is not None}
    svgs = draw(known.values())
    # Trusted markup: the drawing library escapes what it draws.
    return {i: (f.caption, Markup(svgs[f.key])) for i, f in known.items()}  # noqa: S704

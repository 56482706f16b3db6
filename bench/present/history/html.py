"""A history as one HTML page: a figure and a table per series, no network, no scripts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from markupsafe import Markup

from bench.compare.measures import Measure
from bench.compare.series import Series
from bench.present.history import words
from bench.present.templates import environment

FIGURES = 40
"""Figures drawn at most, those with steps first; the tables are all there."""


def render(found: list[Series], measure: Measure, *, level: float) -> str:
    """The page; the same series give the same bytes."""
    ordered = sorted(found, key=lambda s: (not s.ends_worse, not s.steps))
    drawn = _figures(ordered[:FIGURES], measure)
    return (
        environment()
        .get_template("history.html.j2")
        .render(
            title=f"History of {measure.name}",
            headline=words.headline(found, measure),
            blocks=[_block(one, measure, drawn.get(i, ("", Markup("")))) for i, one in enumerate(ordered)],
            undrawn=max(len(found) - FIGURES, 0),
            method=words.method(level),
        )
    )


def _figures(found: list[Series], measure: Measure) -> dict[int, tuple[str, Markup]]:
    """(caption, SVG) by place."""
    from bench.present.figures import draw, history_figure

    made = {
        i: history_figure(
            [{**asdict(p), "machine": one.machine} for p in one.points],
            [asdict(change) for change in one.steps],
            title=f"{one.name} on {one.machine}",
            metric=f"{measure.name}, {measure.unit}" if measure.unit else measure.name,
            better="lower" if measure.lower_is_better else "higher",
            log=measure.scale == "ratio",
        )
        for i, one in enumerate(found)
        if len(one.measured) > 1
    }
    known = {i: figure for i, figure in made.items() if figure is not None}
    svgs = draw(known.values())
    # Trusted markup: the drawing library escapes what it draws.
    return {i: (f.caption, Markup(svgs[f.key])) for i, f in known.items() if f.key in svgs}  # noqa: S704


def _block(one: Series, measure: Measure, drawn: tuple[str, Markup]) -> dict[str, Any]:
    starts = {change.index for change in one.steps}
    return {
        "name": one.name,
        "machine": one.machine,
        "steps": [words.step(measure, one, change) for change in one.steps],
        "caption": drawn[0],
        "figure": drawn[1],
        "rows": [
            {
                "run": p.run, "when": p.when[:16], "commit": words.commit(p), "rounds": str(p.rounds or ""),
                "value": words.value(measure, p.value) if p.value is not None else p.status,
                "interval": words.interval(measure, p), "step": i in starts,
            }
            for i, p in enumerate(one.points)
        ],
    }  # fmt: skip

"""Forest: 50 and 90 % intervals of every scalar, for each backend, below the exact ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench.present import palette
from bench.present.plots import canvas
from bench.present.plots.subject import Marginals, Part, Subject, distance, draws, notes, truth, worst_first
from bench.score.problem import Problem
from bench.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIMIT = 24
LEVELS = (0.05, 0.25, 0.75, 0.95)
WIDE = 8.0
"""Parameters share a natural axis while it is at most this many median 90 % widths long; else units are exact sds."""
BARS = "Bars: 50 % thick, 90 % thin. Distance to the truth is no quality score; the exact posterior misses it too."
EDGE = 8.0
"""Reference sds beyond which a mark stands at the edge, with its value in words, so that the rest stays readable."""


class Scale(NamedTuple):
    """value → (value − centre) / unit, per scalar name; `edge` is where the axis is cut."""

    centre: dict[str, float]
    unit: dict[str, float]
    edge: float

    def __call__(self, part: Part, value: Array | float) -> Array:
        """Places on the axis."""
        return np.asarray((np.asarray(value) - self.centre.get(part.name, 0.0)) / self.unit.get(part.name, 1.0))


def why_not(_: Subject) -> str:
    """It is for every kind: a point is a mark without bars."""
    return ""


def draw(subjects: Sequence[Subject]) -> Figure:
    """All backends of one data set on one axis, the LIMIT scalars of the largest b² of any, top down."""
    problem = subjects[0].scored.problem
    order = worst_first(subjects)
    shown = order[:LIMIT]
    marginals = Marginals.of(problem)
    scale = _scale(problem, marginals, shown)
    step = 0.8 / (len(subjects) + 1)
    picture = canvas.figure(10.0, 1.8 + len(shown) * (0.3 + 0.16 * len(subjects)))
    axes = picture.subplots()
    for row, part in enumerate(shown):
        if row % 2:
            axes.axhspan(row - 0.5, row + 0.5, color=palette.GRID, alpha=0.45, linewidth=0)
        if marginals is not None:
            _exact(axes, row - 0.4 + step / 2, scale(part, marginals.quantiles(part, LEVELS)), step)
        for i, subject in enumerate(subjects):
            _intervals(axes, row - 0.4 + (i + 1.5) * step, subject, part, scale, i)
        _truth(axes, row, problem, part, scale)
    axes.set_yticks(range(len(shown)), [part.name for part in shown])
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    sd = scale.edge < np.inf
    axes.set_xlabel(
        "distance from the exact mean (exact posterior sds)" if sd else "value of the parameter (own units)"
    )
    if sd:
        axes.set_xlim(*_limits(axes, scale.edge))
    lacking = notes(problem, "worst {} parameters by b² of any backend", len(order), len(shown))
    canvas.caption(picture, _sentence(subjects, marginals), [BARS, *lacking])
    return picture


def _scale(problem: Problem, marginals: Marginals | None, shown: Sequence[Part]) -> Scale:
    if marginals is None:
        return Scale({}, {}, np.inf)
    ends = np.array([marginals.quantiles(part, (0.05, 0.95)) for part in shown])
    if np.ptp(ends) <= WIDE * float(np.median(np.diff(ends, axis=1))):
        return Scale({}, {}, np.inf)
    moments = {part.name: marginals.moments(part) for part in shown}
    return Scale({k: m for k, (m, _) in moments.items()}, {k: s for k, (_, s) in moments.items()}, EDGE)


def _exact(axes: Axes, y: float, at: Array, step: float) -> None:
    """A hollow bar over 50 %, whiskers to 90 %."""
    axes.plot(at[[0, 3]], [y, y], color=palette.INK, linewidth=1.0)
    axes.barh(
        y, at[2] - at[1], left=at[1], height=0.7 * step, facecolor="white", edgecolor=palette.INK, linewidth=1.1,
        label="exact posterior (50 and 90 %)", zorder=2,
    )  # fmt: skip


def _intervals(axes: Axes, y: float, subject: Subject, part: Part, scale: Scale, i: int) -> None:
    colour, marker = (of[i % len(of)] for of in (palette.COLOURS, canvas.MARKERS))
    width = 0 if subject.scored.fit.kind == "point" else 3
    centre = float(scale(part, subject.scored.answer[0][part.column]))
    if abs(centre) > scale.edge:
        _beyond(axes, y, centre, scale, colour)
        axes.plot([], [], marker=marker, color=colour, linewidth=width, label=subject.backend)
        return
    if subject.scored.fit.kind != "point":
        at = np.clip(scale(part, np.quantile(draws(subject, part), LEVELS)), -scale.edge, scale.edge)
        axes.plot(at[[0, 3]], [y, y], color=colour, linewidth=1.2)
        axes.plot(at[[1, 2]], [y, y], color=colour, linewidth=3.6, solid_capstyle="butt")
    axes.plot(
        centre, y, marker=marker, color=colour, markersize=5.5, markeredgecolor="white", markeredgewidth=0.6,
        linewidth=width, label=subject.backend, zorder=3,
    )  # fmt: skip


def _truth(axes: Axes, row: int, problem: Problem, part: Part, scale: Scale) -> None:
    true = truth(problem, part)
    if true is None:
        return
    at = float(scale(part, true))
    if abs(at) > scale.edge:
        _beyond(axes, row - 0.4, at, scale, palette.INK, "truth ")
    else:
        axes.plot([at, at], [row - 0.42, row + 0.42], **canvas.TRUTH)


def _beyond(axes: Axes, y: float, at: float, scale: Scale, colour: str, what: str = "") -> None:
    """An arrow at the edge of the axis, with the value that lies beyond it."""
    side = float(np.sign(at))
    axes.plot(side * scale.edge, y, marker=">" if side > 0 else "<", color=colour, markersize=6)
    axes.annotate(
        f"{what}{canvas.signed(at)} sd", (side * scale.edge, y), xytext=(-8 * side, 0), textcoords="offset points",
        ha="right" if side > 0 else "left", va="center", fontsize=8,
    )  # fmt: skip


def _limits(axes: Axes, edge: float) -> tuple[float, float]:
    low, high = axes.dataLim.intervalx
    return max(min(low, -2.5) - 0.3, -edge - 0.5), min(max(high, 2.5) + 0.3, edge + 0.5)


def _sentence(subjects: Sequence[Subject], marginals: Marginals | None) -> str:
    first = subjects[0]
    where = f"{first.scenario}, rep {first.rep}"
    if marginals is None:
        return f"Intervals on {where}: {', '.join(s.backend for s in subjects)}."
    far = {subject.backend: distance(subject, marginals)[0] for subject in subjects}
    if len(far) > 3:
        near, most = min(far, key=lambda name: far[name]), max(far, key=lambda name: far[name])
        far = {f"{near} (least of {len(far)})": far[near], f"{most} (most)": far[most]}
    distances = ", ".join(f"{name} {canvas.short(value)} sd" for name, value in far.items())
    return f"{where}: largest distance of a mean from the exact one: {distances}."

"""Posterior: the draws of every scalar against its exact marginal density."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from bench.present import palette
from bench.present.plots import canvas
from bench.present.plots.subject import Marginals, Part, Subject, bins, distance, draws, notes, truth, worst_first

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIMIT = 12


def why_not(_: Subject) -> str:
    """It is for every kind: a point is a line."""
    return ""


def draw(subject: Subject) -> Figure:
    """The LIMIT scalars of the largest b², one panel each."""
    problem = subject.scored.problem
    order = worst_first([subject])
    shown = order[:LIMIT]
    columns = min(len(shown), 2 if len(shown) <= 4 else 3)
    rows = math.ceil(len(shown) / columns)
    picture = canvas.figure(1.5 + 3.6 * columns, 1.3 + 2.2 * rows)
    panels = picture.subplots(rows, columns, squeeze=False).ravel()
    marginals = Marginals.of(problem)
    for axes, part in zip(panels, shown, strict=False):
        _panel(axes, subject, marginals, part)
    for axes in panels[len(shown) :]:
        axes.remove()
    lacking = notes(problem, "worst {} parameters by b²", len(order), len(shown))
    canvas.caption(picture, _sentence(subject, marginals), lacking)
    return picture


def _panel(axes: Axes, subject: Subject, marginals: Marginals | None, part: Part) -> None:
    flat, true = draws(subject, part).ravel(), truth(subject.scored.problem, part)
    if subject.scored.fit.kind == "point" or np.ptp(flat) == 0.0:
        label = "estimate" if subject.scored.fit.kind == "point" else "draws, all equal"
        axes.axvline(flat[0], color=palette.COLOURS[0], linewidth=2.4, label=label)
    else:
        axes.hist(flat, bins=bins(flat), density=True, color=canvas.FILL, label="draws", linewidth=0)
    if marginals is not None:
        x, density = marginals.density(part)
        seen = density > 1e-4 * density.max()
        axes.plot(x[seen], density[seen], **canvas.EXACT)
        exact, sd = marginals.moments(part)
        canvas.mark(axes, exact, canvas.EXACT_MEAN)
        words = f"{canvas.signed((subject.scored.answer[0][part.column] - exact) / sd)} sd off"
        if subject.scored.fit.kind != "point":
            words += f", spread × {subject.scored.sd[part.column] / sd:.2f}"
        axes.set_title(words)
    canvas.mark(axes, true, canvas.TRUTH)
    axes.set(xlabel=f"value of {part.name} (own units)", ylabel="density", ylim=(0.0, None))


def _sentence(subject: Subject, marginals: Marginals | None) -> str:
    if marginals is None:
        return f"The answer of {subject.title}."
    far, name = distance(subject, marginals)
    what = "estimate" if subject.scored.fit.kind == "point" else "mean"
    return f"{subject.title}: every {what} is within {canvas.short(far)} sd of the exact mean ({name} is the farthest)."

"""Predictive: held-out observations against their predictive mean and 95 % interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.present import palette
from bench.present.plots import canvas
from bench.present.plots.forecast import DRAWS, Forecast, forecast
from bench.present.plots.subject import Subject
from bench.score.predictive import thinned
from bench.types import Array, Arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROWS = 200
"""Held-out rows drawn; more are thinned evenly and counted in a note."""


def why_not(subject: Subject) -> str:
    """It needs held-out inputs and observations."""
    held = subject.scored.problem.data.holdout
    return "" if {"x", "y"} <= held.keys() else "the scenario has no held-out rows with inputs x and observations y"


def draw(subject: Subject) -> Figure:
    """Observed values above, their difference from the predictive mean below; a column for inputs outside the range."""
    problem = subject.scored.problem
    held = problem.data.holdout
    inside, total = _rows({k: v for k, v in held.items() if not k.endswith("_outside")})
    outside, _ = _rows({k.removesuffix("_outside"): v for k, v in held.items() if k.endswith("_outside")})
    columns = [c for c in (inside, outside) if c]
    picture = canvas.figure(10.0, 6.2)
    grid = picture.subplots(2, len(columns), squeeze=False, sharex="col", height_ratios=(3, 2))
    exact = None
    if problem.reference is not None:
        exact = problem.reference.draw(500, np.random.default_rng(0))
    inner = forecast(problem, thinned(subject.scored, DRAWS), inside)
    for i, held_out in enumerate(columns):
        own = inner if held_out is inside else forecast(problem, thinned(subject.scored, DRAWS), held_out)
        theirs = None if exact is None else forecast(problem, exact, held_out)
        _column(grid[:, i], held_out, own, theirs, noiseless=held_out is outside)
        if len(columns) > 1:
            grid[0, i].set_title(
                "inputs outside the training range" if held_out is outside else "inputs as in training"
            )
    grid[0, 0].set_ylabel("observation y")
    grid[1, 0].set_ylabel("y − predictive mean")
    sentence = f"{subject.title}: its 95 % predictive intervals hold {_held(inner, inside)} held-out observations"
    if exact is not None:
        sentence += f", those of the exact posterior {_held(forecast(problem, exact, inside), inside)}"
    canvas.caption(picture, f"{sentence}.", _notes(subject, len(inside["y"]), total))
    return picture


def _held(intervals: Forecast, rows: Arrays) -> str:
    inside = (rows["y"] >= intervals.low) & (rows["y"] <= intervals.high)
    return f"{int(inside.sum())} of {len(inside)}"


def _rows(arrays: Arrays) -> tuple[dict[str, Array], int]:
    """At most ROWS rows, evenly spread, sorted by the only feature where there is one; and how many there were."""
    if not {"x", "y"} <= arrays.keys():
        return {}, 0
    n = len(arrays["y"])
    kept = np.unique(np.linspace(0, n - 1, min(n, ROWS)).round().astype(int))
    if arrays["x"].shape[1] == 1:
        kept = kept[np.argsort(arrays["x"][kept, 0], kind="stable")]
    return {name: rows[kept] for name, rows in arrays.items()}, n


def _column(grid: Array, held: Arrays, own: Forecast, exact: Forecast | None, *, noiseless: bool) -> None:
    """One column: y above, y minus the predictive mean below."""
    line = held.keys() == {"x", "y"} and held["x"].shape[1] == 1
    along = held["x"][:, 0] if line else own.mean
    upper, lower = grid
    for axes, base in ((upper, np.zeros_like(own.mean)), (lower, own.mean)):
        _band(axes, along, own.low - base, own.high - base, line=line)
        blue = {"color": palette.COLOURS[0], "linewidth": 1.5, "label": "predictive mean"}
        if line:
            axes.plot(along, own.mean - base, **blue)
        else:
            axes.axline((own.mean[0], own.mean[0] - base[0]), slope=float(axes is upper), **blue)
        if exact is not None:
            style = {"color": palette.INK, "linewidth": 1.0}
            for edge in (exact.low, exact.high):
                if line:
                    axes.plot(along, edge - base, linestyle="--", label="exact posterior's 95 %", **style)
                else:
                    axes.plot(along, edge - base, "_", markersize=5, label="exact posterior's 95 %", **style)
        label = "expected y under the truth, without noise" if noiseless else "held-out observation"
        face = "white" if noiseless else palette.COLOURS[1]
        axes.plot(
            along, held["y"] - base, "s" if noiseless else "o", markersize=3.4, color=palette.COLOURS[1],
            markerfacecolor=face, markeredgewidth=0.8, label=label,
        )  # fmt: skip
    lower.set_xlabel("x[0]" if line else "predictive mean of y")


def _band(axes: Axes, along: Array, low: Array, high: Array, *, line: bool) -> None:
    label = "95 % interval of a new observation"
    if line:
        axes.fill_between(along, low, high, color=canvas.FILL, alpha=0.7, linewidth=0, label=label)
    else:
        axes.vlines(along, low, high, color=canvas.FILL, linewidth=2.2, label=label)


def _notes(subject: Subject, shown: int, total: int) -> list[str]:
    notes = []
    if subject.scored.fit.kind == "point":
        notes.append("A point estimate: the interval is that of the noise alone, as if the parameters were known.")
    if shown < total:
        notes.append(f"{shown} of {total} held-out rows, evenly spread.")
    return notes

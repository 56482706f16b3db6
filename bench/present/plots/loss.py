"""Loss: the objective of an optimiser, or −ELBO of VI, on its way down, with the least value it can have."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench.errors import NoReference
from bench.present import palette
from bench.present.plots import canvas
from bench.present.plots.subject import Subject
from bench.score.variational import variational_rows
from bench.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = {
    "least_squares": "least squares, RSS / (2s²)",
    "map": "−log posterior",
    "map_unconstrained": "−log posterior, with Jacobian",
}


class Path(NamedTuple):
    """An objective at each checkpoint: name, (point,) steps, seconds and values, and its least value if known."""

    name: str
    steps: Array
    seconds: Array
    values: Array
    least: float | None


def why_not(subject: Subject) -> str:
    """It needs checkpoints that state an objective."""
    kind = subject.scored.fit.kind
    if kind not in {"point", "vi"}:
        return f"it is for optimisers and VI, and this fit is of kind {kind}"
    return "" if path_of(subject).values.size else "it has no checkpoints with an objective"


def draw(subject: Subject) -> Figure:
    """The objective, and below it what is left above the least value, against steps and seconds."""
    way = path_of(subject)
    left = None if way.least is None else way.values - way.least
    rows = 1 if left is None or not (left > 0).any() else 2
    picture = canvas.figure(10.0, 1.5 + 2.6 * rows)
    grid = picture.subplots(rows, 2, squeeze=False, sharex="col", sharey="row")
    vi = subject.scored.fit.kind == "vi"
    for axes, along in zip(grid[0], (way.steps, way.seconds), strict=True):
        _line(axes, along, way.values, "−ELBO, on the way one noisy estimate a point" if vi else "objective")
        canvas.mark(axes, way.least, {**canvas.EXACT, "label": "−log evidence" if vi else "least value"}, along="y")
    grid[0, 0].set_ylabel(f"{way.name} (nats)")
    if rows == 2 and left is not None:
        for axes, along in zip(grid[1], (way.steps, way.seconds), strict=True):
            _line(axes, along[left > 0], left[left > 0], "above the least value, where that is positive", colour=1)
        grid[1, 0].set_ylabel("KL(q‖p) (nats)" if vi else "above the least (nats)")
    grid[-1, 0].set_xlabel("step")
    grid[-1, 1].set_xlabel("seconds since warmup began")
    canvas.caption(picture, _sentence(subject, way), _notes(subject, way))
    return picture


def path_of(subject: Subject) -> Path:
    """A named objective is computed anew by the family, in nats, at checkpoints and answer; others are as stated."""
    scored, problem = subject.scored, subject.scored.problem
    points = scored.checkpoints
    steps, seconds = [float(c.step) for c in points], [c.seconds for c in points]
    name = scored.fit.stats.get("objective")
    if scored.fit.kind == "point" and isinstance(name, str):
        answer = {k: np.asarray(v)[0, 0] for k, v in scored.fit.draws.items()}
        estimates = [c.estimate.mean for c in points]
        if steps and (end := float(scored.fit.stats.get("steps") or steps[-1])) > steps[-1]:
            steps, seconds, estimates = [*steps, end], [*seconds, scored.fitting], [*estimates, answer]
        values = [problem.family.objective(problem.data, name, estimate) for estimate in estimates]
        try:
            least = problem.optimum(name)[1]
        except NoReference:
            least = None
        return _path(NAMES.get(name, name), steps, seconds, values, least)
    stated = [np.nan if c.estimate.objective is None else c.estimate.objective for c in points]
    vi = scored.fit.kind == "vi"
    of_q = {row.metric: row.value for row in variational_rows(scored)}.get("elbo")
    if of_q is not None and steps:  # by the draws of the answer, where the looks on the way are single estimates
        end = max(float(scored.fit.stats.get("steps") or 0.0), steps[-1])
        kept = slice(None, -1 if end == steps[-1] else None)
        steps, seconds, stated = [*steps[kept], end], [*seconds[kept], scored.fitting], [*stated[kept], -of_q]
    evidence = problem.reference.log_evidence if vi and problem.reference is not None else np.nan
    least = -evidence if np.isfinite(evidence) else None  # a long run has none
    return _path("−ELBO" if vi else "objective", steps, seconds, stated, least)


def _path(name: str, steps: list[float], seconds: list[float], values: list[float], least: float | None) -> Path:
    finite = np.isfinite(values)
    along, at, value = (np.asarray(column, dtype=float)[finite] for column in (steps, seconds, values))
    return Path(name, along, at, value, least)


def _line(axes: Axes, along: Array, values: Array, label: str, *, colour: int = 0) -> None:
    axes.plot(
        along, values, color=palette.COLOURS[colour], linestyle=canvas.DASHES[colour], linewidth=1.4, label=label,
        marker=canvas.MARKERS[colour], markersize=3.5,
    )  # fmt: skip
    if (along > 0).all():
        axes.set_xscale("log")
    if (values > 0).all() and values.max() > 5.0 * values.min():
        axes.set_yscale("log")


def _sentence(subject: Subject, way: Path) -> str:
    of = int(subject.scored.fit.stats.get("steps") or 0)
    whole = f" of {of:,}" if of > way.steps[-1] else ""
    at = f"after {way.steps[-1]:,.0f}{whole} steps and {way.seconds[-1]:.3g} s"
    if way.least is None:
        return f"{subject.title}: {way.name} is {way.values[-1]:.5g} {at}."
    over = way.values[-1] - way.least
    if subject.scored.fit.kind == "vi":
        return f"{subject.title}: −ELBO ends about {over:.3g} nats above −log evidence {at}."
    return f"{subject.title}: the objective ends {over:.2g} nats above its least value {at}."


def _notes(subject: Subject, way: Path) -> list[str]:
    if subject.scored.fit.kind == "vi" and way.least is not None:
        return ["−ELBO = −log evidence + KL(q‖p): no q can be below the line, single estimates can."]
    return [] if way.least is not None else ["The least value of this objective is not known."]

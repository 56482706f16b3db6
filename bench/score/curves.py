"""Error against seconds and gradients, for point, VI and MCMC on one axis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bench.score.judged import counts
from bench.score.problem import Scored
from bench.score.squares import b2, judged_b2
from bench.types import Array


class CurveRow(NamedTuple):
    """One value at one step; seconds count from the start of warmup, `seconds_cold` adds build and compile."""

    step: int
    seconds: float
    seconds_cold: float
    gradients: float
    metric: str
    value: float


@dataclass(frozen=True)
class Curve:
    """One fit's way to its answer: (point,) steps, seconds, gradients, objective; b2 (point, f).

    b2 is empty without a reference, an objective that nobody stated NaN. The last point is always the fit's answer.
    Checkpoints of VI hold moments only: its shape and joint functions are those of its answer at every point.
    """

    step: Array
    seconds: Array
    seconds_cold: Array
    gradients: Array
    b2: Array
    objective: Array
    moments: int | None = None
    """How many of the f, the first ones, are means and squares, which b2_avg averages; None: all."""

    def rows(self) -> Iterator[CurveRow]:
        """b2_avg, b2_max and the objective, where there are any."""
        for i, step in enumerate(self.step):
            at = (int(step), float(self.seconds[i]), float(self.seconds_cold[i]), float(self.gradients[i]))
            values = {"b2_avg": self.b2[i, : self.moments].mean(), "b2_max": self.b2[i].max()} if self.b2.size else {}
            values["objective"] = self.objective[i]
            yield from (CurveRow(*at, name, float(v)) for name, v in values.items() if np.isfinite(v))


def curve(scored: Scored) -> Curve:
    """From checkpoints for optimisers and VI; from the first draws of all chains, prorated by gradients, otherwise."""
    if scored.fit.kind in {"point", "vi"}:
        return _of_checkpoints(scored)
    return _of_draws(scored)


def _of_checkpoints(scored: Scored) -> Curve:
    """The checkpoints, and at the end the answer itself: the last steps may lie between two checkpoints."""
    points, flat = scored.checkpoints, scored.problem.flat
    reached = max([scored.stat("steps") or 1.0, *(float(c.step) for c in points)])
    before = [c for c in points if c.step < reached]
    at_end = [c.estimate.objective for c in points if c.step == reached]
    mean, sd = scored.answer
    none = np.zeros_like(sd)
    squared = _squared(
        scored,
        np.array([*(flat(c.estimate.mean) for c in before), mean]),
        np.array([*(none if c.estimate.sd is None else flat(c.estimate.sd) for c in before), sd]),
    )
    return _curve(
        scored,
        [*(c.step for c in before), reached],
        [*(c.seconds for c in before), scored.fitting],
        [*(c.gradients for c in before), scored.stat("gradients")],
        squared,
        [*(c.estimate.objective for c in before), at_end[-1] if at_end else None],
    )


def _of_draws(scored: Scored) -> Curve:
    """Moments of the first m draws of every chain, at log-spaced m."""
    draws, problem = scored.draws, scored.problem
    n = draws.shape[1]
    count = counts(n).astype(int)
    stats, even = scored.fit.stats, np.ones((1, n))
    useful = _share(stats.get("num_steps", even), count)
    executed = _share(stats.get("num_steps_executed", stats.get("num_steps", even)), count)
    warmup, total = (scored.stat(k) for k in ("gradients_warmup", "gradients"))
    seconds = scored.seconds.get("warmup", 0.0) + scored.seconds.get("sample", 0.0) * executed
    # moments about the reference mean: raw ones would cancel where a mean is large against its sd
    centre = problem.moments[0] if problem.reference is not None else draws[0, 0]
    first, second = (
        np.cumsum(((draws - centre) ** power).mean(axis=0), axis=0)[count - 1] / count[:, None] for power in (1, 2)
    )
    squared = _squared(scored, first + centre, np.sqrt(np.maximum(second - first**2, 0.0)))
    return _curve(scored, count, seconds, warmup + (total - warmup) * useful, squared, np.full(len(count), np.nan))


def _squared(scored: Scored, mean: Array, sd: Array) -> Array:
    """b² of (point, scalar) moments, then of the judged functions: (point, f); no f without a reference."""
    if scored.problem.reference is None:
        return np.empty((len(mean), 0))
    squared = b2(mean, sd, scored.problem.moments)
    if scored.judged is None:
        return squared
    judged = judged_b2(scored.problem.functions, scored.judged.running)
    at_end = len(judged) != len(squared) or scored.fit.kind == "vi"
    return np.hstack([squared, np.broadcast_to(judged[-1:], (len(squared), judged.shape[1])) if at_end else judged])


def _share(steps: Any, count: Array) -> Array:
    """Of the gradients (chain, draw) of all draws, those of the first `count` of each chain."""
    work = np.asarray(steps, dtype=float).sum(axis=0)
    share: Array = np.cumsum(work)[count - 1] / work.sum()
    return share


def _curve(scored: Scored, *columns: object) -> Curve:
    step, seconds, gradients, squared, objective = (np.asarray(c, dtype=float) for c in columns)
    before = scored.seconds.get("build", 0.0) + scored.seconds.get("compile", 0.0)
    moments = 2 * len(scored.problem.parts) if squared.size else None
    return Curve(step, seconds, seconds + before, gradients, squared, objective, moments)

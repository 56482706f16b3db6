"""Error against seconds and gradients, for point, VI and MCMC on one axis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench.metrics.error import b2
from bench.metrics.problem import Scored
from bench.types import Array

POINTS = 30
"""Draw counts at which an MCMC fit is looked at, log-spaced."""


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
    """One fit's way to its answer: (point,) steps, seconds and gradients; b2 (point, f), empty without a reference."""

    step: Array
    seconds: Array
    seconds_cold: Array
    gradients: Array
    b2: Array
    objective: Array

    def rows(self) -> Iterator[CurveRow]:
        """b2_avg, b2_max and the objective, where there are any."""
        for i, step in enumerate(self.step):
            at = (int(step), float(self.seconds[i]), float(self.seconds_cold[i]), float(self.gradients[i]))
            values = {"b2_avg": self.b2[i].mean(), "b2_max": self.b2[i].max()} if self.b2.size else {}
            if self.objective.size:
                values["objective"] = self.objective[i]
            yield from (CurveRow(*at, name, float(v)) for name, v in values.items() if np.isfinite(v))


def curve(scored: Scored) -> Curve:
    """From checkpoints for optimisers and VI; from the first draws of all chains, prorated by gradients, otherwise."""
    if scored.fit.kind in {"point", "vi"}:
        return _of_checkpoints(scored)
    return _of_draws(scored)


def _of_checkpoints(scored: Scored) -> Curve:
    points, problem = scored.checkpoints, scored.problem
    if not points:
        return _made(scored, [], [], [], np.empty((0, 0)), [])
    mean = np.array([problem.flat(c.estimate.mean) for c in points])
    sd = np.array([np.zeros(mean.shape[1]) if c.estimate.sd is None else problem.flat(c.estimate.sd) for c in points])
    squared = b2(mean, sd, problem.moments) if problem.reference is not None else np.empty((0, 0))
    objective = [c.estimate.objective for c in points]
    return _made(
        scored,
        [c.step for c in points],
        [c.seconds for c in points],
        [c.gradients for c in points],
        squared,
        [] if None in objective else objective,  # type: ignore[arg-type]
    )


def _of_draws(scored: Scored) -> Curve:
    """Moments of the first m draws of every chain, at log-spaced m."""
    draws, stats, problem = scored.draws, scored.fit.stats, scored.problem
    n = draws.shape[1]
    count = np.unique(np.geomspace(min(2, n), n, POINTS).round().astype(int))
    work = np.asarray(stats["num_steps"], dtype=float).sum(axis=0) if "num_steps" in stats else np.ones(n)
    share = np.cumsum(work)[count - 1] / work.sum()
    warmup, total = (float(stats.get(k) or 0.0) for k in ("gradients_warmup", "gradients"))
    seconds = scored.seconds.get("warmup", 0.0) + scored.seconds.get("sample", 0.0) * share
    squared = np.empty((0, 0))
    if problem.reference is not None:
        centre = problem.moments[0]
        first = np.cumsum((draws - centre).mean(axis=0), axis=0)[count - 1] / count[:, None]
        second = np.cumsum(((draws - centre) ** 2).mean(axis=0), axis=0)[count - 1] / count[:, None]
        sd = np.sqrt(np.maximum(second - first**2, 0.0))
        squared = b2(first + centre, sd, problem.moments)
    return _made(scored, count, seconds, warmup + (total - warmup) * share, squared, [])


def _made(scored: Scored, *columns: object) -> Curve:
    step, seconds, gradients, squared, objective = (np.asarray(c, dtype=float) for c in columns)
    before = scored.seconds.get("build", 0.0) + scored.seconds.get("compile", 0.0)
    return Curve(step, seconds, seconds + before, gradients, squared, objective)

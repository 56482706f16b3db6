"""What a fit says that ran until its error met a target."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.score.judged import judge
from bench.score.problem import Row, Scored, rows
from bench.score.squares import b2, b2_parts, judged_b2, judged_parts
from bench.types import Array


def target_rows(scored: Scored) -> Iterator[Row]:
    """Whether and after how many seconds the target was met, and the error of what followed; none without a target."""
    until = scored.until
    if not until or scored.problem.reference is None:
        return
    yield Row("target_met", "", float("seconds" in until))
    if "seconds" not in until:
        return
    yield (
        Row("time_to_target_cold", "", until["seconds_cold"])
        if scored.cold
        else Row("time_to_target", "", until["seconds"])
    )
    parts = scored.problem.parts
    names = [*b2_parts(parts), *(judged_parts(scored.problem.functions, parts) if scored.judged is not None else [])]
    yield from rows("b2_after_target", names, _after(scored, int(until["step"])))


def _after(scored: Scored, met: int) -> Array:
    """b² of the draws that followed the target alone, as many again; of VI and points that of their answer."""
    problem, (mean, sd), judged = scored.problem, scored.answer, scored.judged
    if scored.fit.kind in ("mcmc", "exact") and met < scored.draws.shape[1]:
        followed = {name: draws[:, met : 2 * met] for name, draws in scored.fit.draws.items()}
        values = problem.flat(followed)
        mean, sd = values.mean(axis=(0, 1)), values.std(axis=(0, 1))
        judged = judge(problem.functions, followed, (values.shape[0], values.shape[1]), chains=False)
    squared = b2(mean, sd, problem.moments)
    if judged is None:
        return squared
    return np.concatenate([squared, judged_b2(problem.functions, judged.running[-1:])[0]])

"""Does a method fit the data it is given? One small problem on which other data give another answer, far beyond error.

What `bench verify` compares is the density of a framework's models; a method's own file stands between that and the
data. So each method fits a linear regression whose exact posterior is narrow. Who comes to rest somewhere else has
fitted something else. Who has not come to rest, or is too noisy, is judged by the log density that it states of its
draws, which every fit is held to; where it states none, it is not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from bench.catalog.backends import backend
from bench.cell import Cell
from bench.data import family, flatten, moments
from bench.measure.contender import Attempt, Contender, print_error
from bench.store.ledger import Ledger
from bench.types import Array, Arrays, Dataset, Parameter, Prior

NAME = "sharp"
"""What stands for the problem where a density names its scenario."""
ROWS, SIGMA, RESIDUAL = 64, 0.0125, 5.0
WEIGHTS, BIAS = (3.0, -2.0), 1.0
BUDGET = (("chains", 4), ("warmup", 200), ("draws", 200))
STEPS, FEWER = 1500, 400
"""Steps of an optimiser, and those that VI, whose steps are dear, has first: they mostly do."""
LATE = 0.6
"""The share of the steps after which an optimiser should have come to rest."""
AT_REST = 0.02
"""By how much of its way it may still move then."""
SHIFT = 25.0
"""Posterior sds by which features times 1.02 move a weight at least."""
OFF, NOISE = 3.0, 3.0
"""Posterior sds from the exact mean, and times its own movement, that an answer may be off."""


class Answer(NamedTuple):
    """A method's answer (scalar,), and by how much it moved in the end or differs between chains or seeds, (scalar,).

    Where there is none, the movement is infinite.
    """

    mean: Array
    movement: Array


def problem() -> Dataset:
    """64 rows of two features that are ±1; weights 3 and −2, noise taken as known to be 0.0125, residuals of ±5.

    Its exact posterior has sds of 0.0016. Features times 1.02 move the weights by 38 and 25 of these; residuals so much
    larger than the noise make every row matter: without one, each parameter moves by 50.
    """
    rows = np.arange(ROWS)
    x = np.stack([np.where(rows >> bit & 1, 1.0, -1.0) for bit in (0, 1)], axis=1)
    residual = RESIDUAL * np.where((rows >> 2 ^ rows >> 3) & 1, 1.0, -1.0)  # orthogonal to both, and of mean 0
    wide = Prior("normal", (0.0, 100.0))
    return Dataset(
        family="linear",
        parameters=(Parameter("weights", (2,)), Parameter("bias")),
        arrays={"x": x, "y": x @ np.array(WEIGHTS) + BIAS + residual},
        priors={"weights": wide, "bias": wide, "sigma": Prior("known", (SIGMA,))},
    )


def cell_of_method(method: str, device: Any, dtype: Any, steps: int = STEPS) -> Cell:
    """A method as it ships, on the problem."""
    return Cell(NAME, (), method, (*BUDGET, ("steps", steps)), "quick", "matched", device, dtype)


def fitted(contender: Contender) -> tuple[Attempt, Answer | None]:
    """What a contender gives, and how its last fit ended; fitted twice where one fit does not show how it moved."""
    first = _attempt(contender, 1)
    if first.status != "ok" or first.fit is None:
        return first, None
    steps = contender.cell.resolved_budget().steps
    mean, late = _mean(first), [c for c in first.clock.checkpoints if c.step >= LATE * steps]
    if first.fit.kind in {"mcmc", "exact"}:
        return first, Answer(mean, np.ptp(_flat({k: x.mean(axis=1) for k, x in first.fit.draws.items()}), axis=0))
    if len(late) > 1:
        path = np.stack([*(_flat(c.estimate.mean) for c in first.clock.checkpoints), mean])
        movement = np.ptp(path[-len(late) - 1 :], axis=0)
        at_rest = movement <= AT_REST * np.ptp(path, axis=0)
        return first, Answer(mean, np.where(at_rest, movement, np.inf))
    again = _attempt(contender, 2)
    if again.status != "ok":
        return again, None
    ended = "steps" in (first.stats.get("stop"), again.stats.get("stop"))  # so it says itself, where it has no path
    return again, Answer(mean, np.full(len(mean), np.inf) if ended else np.abs(_mean(again) - mean))


def complaint(given: Answer) -> str:
    """On an answer that is not that of the posterior and would not become it; empty otherwise."""
    data = problem()
    exact = family(data.family).reference(data)
    mean, sd = _flat(exact.mean), _flat(exact.sd)
    off, movement = np.abs(given.mean - mean) / sd, given.movement / sd
    excess = off - NOISE * movement
    worst = int(np.argmax(excess))
    if excess[worst] <= OFF:
        return ""
    part = data.parts[worst]
    return (
        f"wrong target: on a problem whose posterior is known it comes to rest at {part} = {given.mean[worst]:.6g}, "
        f"{off[worst]:.0f} posterior sds from {mean[worst]:.6g}: it fits other data than it is given"
    )


def decides(given: Answer, *, everywhere: bool = False) -> bool:
    """Whether features times 1.02, or a row less, would have been seen in some parameter, or in each."""
    data = problem()
    sd = _flat(family(data.family).reference(data).sd)
    seen = OFF + NOISE * given.movement / sd < SHIFT
    return bool(seen.all() if everywhere else seen.any())


def verdict(contender: Contender) -> dict[str, str]:
    """`same`, `wrong` or `unknown`, with the reason; after FEWER steps every parameter must have come to rest."""
    attempt, given = fitted(contender)
    if given is None:
        wrong = attempt.reason.startswith("wrong target")
        reason = attempt.reason if wrong else f"{attempt.status}: {attempt.reason}"
        return {"verdict": "wrong" if wrong else "unknown", "reason": reason}
    if reason := complaint(given):
        return {"verdict": "wrong", "reason": reason}
    early = contender.cell.resolved_budget().steps < STEPS
    if decides(given, everywhere=early) or (attempt.fit is not None and "log_density" in attempt.fit.stats):
        return {"verdict": "same", "reason": ""}
    return {"verdict": "unknown", "reason": "in so few steps it does not come to rest near enough to tell"}


def answer(request: Mapping[str, Any], answers: Ledger) -> None:
    """In a child: append a verdict on each of the request's methods, [name, problem, dtype, device]."""
    for method, _, dtype, device in request["methods"]:
        given: dict[str, str] = {}
        for steps in (FEWER, STEPS) if backend(method).kind == "vi" else (STEPS,):
            if given.get("verdict") != "same":
                given = verdict(Contender(cell_of_method(method, device, dtype, steps), request["threads"]))
        answers.append(given)


def _attempt(contender: Contender, seed: int) -> Attempt:
    attempt = contender.attempt(problem, seed, cold=seed == 1)
    print_error(attempt)
    return attempt


def _mean(attempt: Attempt) -> Array:
    assert attempt.fit is not None
    return _flat(moments(attempt.fit)[0])


def _flat(arrays: Arrays) -> Array:
    """{name: (…, *shape)} → (…, scalar)."""
    return flatten(problem().parameters, arrays)

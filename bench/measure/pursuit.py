"""A fit that goes on until its error meets a target: when it is looked at, when it ends, and what is known then.

A sampler is looked at after 1/target draws of all chains, then whenever they are √2 times as many; the first look at
which the worst error is below the target is the end. As many draws again follow, whose error alone was not looked at
when the end was chosen; in all they are at least the budget's, so that diagnostics see enough.

An optimiser and VI are looked at at their checkpoints; the end is the first from which on the error is below the target
until as many steps again have been made, or the steps are over.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from bench.data import moments
from bench.measure.clock import WallClock
from bench.measure.validity import complaint
from bench.types import Arrays, Budget, Dataset, Estimate, Fit

GROWTH = math.sqrt(2.0)
"""By which draws grow from one look to the next."""
SUMS = ("gradients", "gradients_warmup", "gradients_executed", "gradients_executed_warmup", "treedepth_hits")
"""Statistics of a whole fit that are the sum of those of its blocks; of others the last block's is kept."""


class Judge(Protocol):
    """What tells the error of an answer: the largest b² over the functions that it is judged by."""

    def more(self, draws: Arrays) -> float:
        """Of all draws so far, of which {parameter: (chain, draw, *shape)} are the latest."""

    def answer(self, estimate: Estimate) -> float:
        """Of an intermediate answer; its draws are taken only where its moments are near enough."""


class End(NamedTuple):
    """Where the target was met: draws per chain or steps, seconds since warmup began, and build and compile before."""

    step: int
    seconds: float
    before: float


@dataclass
class Pursuit:
    """One fit on its way to an error below `target`, which is looked for in so many seconds of warmup and sampling.

    A sampler makes `least` draws per chain in all if it meets it. `met` is where that was, None until then and where it
    was lost again.
    """

    target: float
    limit: float
    judge: Judge
    least: int = 0
    met: End | None = None
    error: float = field(default=math.inf, init=False)
    """That of the latest look."""
    seconds: float = field(default=0.0, init=False)
    """Those of the latest look."""

    def look(self, clock: WallClock, step: int, error: float) -> bool:
        """Take in the error after so many draws per chain or steps; whether it is below the target."""
        self.error, self.seconds = error, clock.fitted()
        if not error < self.target:
            self.met = None
        elif self.met is None:
            self.met = End(step, self.seconds, clock.prepared())
        return self.met is not None

    def checkpoint(self, clock: WallClock, step: int, estimate: Estimate) -> bool:
        """Whether an optimiser or VI is to stop at a checkpoint."""
        if self.look(clock, step, self.judge.answer(estimate)):
            assert self.met is not None
            return step >= 2 * self.met.step
        return self.seconds >= self.limit

    def answered(self, clock: WallClock, fit: Fit) -> None:
        """Take in the answer with which an optimiser or VI has ended: its last steps may lie after a checkpoint."""
        mean, sd = moments(fit)
        flat = {name: np.asarray(d, dtype=float).reshape(-1, *np.shape(d)[2:]) for name, d in fit.draws.items()}
        of_q = Estimate(mean, sd, draws=lambda: flat) if fit.kind != "point" else Estimate(mean)
        self.look(clock, int(fit.stats.get("steps") or 1), self.judge.answer(of_q))

    def draws_left(self, budget: Budget, made: int, sampling: float) -> int:
        """How many draws per chain to make until the next look, after `made` in `sampling` seconds; 0: none."""
        looks = 1 + round(math.log(made / budget.draws, GROWTH))
        wanted = max(1, math.ceil(budget.draws * GROWTH**looks) - made)
        left = self.limit - self.seconds
        if left <= 0.0:
            return 0
        return math.floor(min(float(wanted), left * made / sampling)) if sampling > 0.0 else wanted

    def outcome(self) -> dict[str, float]:
        """What the fit's record keeps."""
        met = self.met
        found = {"target": self.target}
        if met is not None:
            found |= {"step": met.step, "seconds": met.seconds, "seconds_cold": met.seconds + met.before}
        return found

    def note(self) -> tuple[str, ...]:
        """A sentence where the target was not met."""
        if self.met is not None:
            return ()
        return (f"the target {self.target:g} was not met in {self.seconds:.3g} s: b² was {self.error:.2g} at the end",)


def follow(
    method: Any, program: Any, data: Dataset, state: Any, clock: WallClock, pursuit: Pursuit, budget: Budget
) -> Fit:
    """The fit of a sampler that goes on from `state`, its first draws, until its pursuit is over.

    A block that cannot be used ends it; whoever judges the fit says so.
    """
    made = budget.draws
    blocks = [method.draw(state)]
    while not _complaint(blocks[-1], data):
        if pursuit.look(clock, _draws(blocks), pursuit.judge.more(blocks[-1].draws)):
            state = method.resume(program, data, state, max(made, pursuit.least - made), clock)
            blocks.append(method.draw(state))
            break
        if not (more := pursuit.draws_left(budget, made, clock.seconds.get("sample", 0.0))):
            break
        state, made = method.resume(program, data, state, more, clock), made + more
        blocks.append(method.draw(state))
    return joined(blocks)


def _complaint(block: Any, data: Dataset) -> str:
    return complaint(block, data, block.kind) if isinstance(block, Fit) else "no fit"


def _draws(blocks: list[Fit]) -> int:
    """Draws per chain that were kept."""
    return sum(next(iter(block.draws.values())).shape[1] for block in blocks)


def joined(blocks: list[Fit]) -> Fit:
    """Blocks of draws of the same chains as one fit; the last as it is where a block is none."""
    last = blocks[-1]
    if len(blocks) == 1 or not all(isinstance(b, Fit) and b.draws.keys() == last.draws.keys() for b in blocks):
        return last
    draws = {name: np.concatenate([np.asarray(b.draws[name]) for b in blocks], axis=1) for name in last.draws}
    return replace(last, draws=draws, stats=dict(_stats(blocks)))


def _stats(blocks: list[Fit]) -> Mapping[str, Any]:
    """Statistics of all blocks: per draw one after the other, sums of what is counted, else the last block's."""
    together: dict[str, Any] = {}
    for name, value in blocks[-1].stats.items():
        if not all(name in block.stats for block in blocks):
            continue
        every = [block.stats[name] for block in blocks]
        if name in SUMS and not np.ndim(value):
            together[name] = sum(every)
        elif np.ndim(value) >= 2:
            together[name] = np.concatenate(every, axis=1)
        else:
            together[name] = value
    return together

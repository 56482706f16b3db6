"""The loop of SVI: short runs from several starts, then steps of Adam from the best of them until the ELBO is still.

The learning rate is halved when the mean ELBO of a window of steps exceeds that of the window before by no more than
the standard error of their difference; at the slowest it falls exponentially over the second half of the steps, so that
few steps reach far enough first. Where it has its last value and the ELBO stands still, the fit is over. Welandawe et
al. (2022, arXiv:2203.15945) halve the rate and stop by averages over windows and their errors (after Dhaka et al. 2020,
arXiv:2009.00666), of the iterates instead of the ELBO.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from bench.types import Diverged

NEGLIGIBLE = 1e-3
"""Nats that a window must gain at least, where the ELBO has no noise: a Laplace approximation's search for its mode."""
SHORT, SHORTEST = 20, 100
"""A short run takes a twentieth of all steps, or 100; all of them together at most half of the steps."""

Stop = Literal["converged", "steps", "target"]


class Plan(NamedTuple):
    """Steps at most, in all; the first learning rate and its last one as a factor; starts; steps of a window."""

    steps: int
    lr: float
    lr_decay: float
    restarts: int
    window: int


class Outcome(NamedTuple):
    """Steps made, short runs included, the loss of the last, and what ended them.

    `late_gain`: nats by which the loss still fell while the schedule lowered the rate, less three standard errors.
    """

    steps: int
    loss: float
    stop: Stop
    late_gain: float = 0.0


class Search(ABC):
    """One optimisation; a framework says how to step, how to begin anew, and how to keep a state."""

    plan: Plan
    steps: int
    stopped = False
    """Whether a checkpoint has said that the fit ends here: its error has met a target, or its time is over."""

    @abstractmethod
    def restart(self) -> None:
        """Forget what the optimiser remembers of earlier steps."""

    @abstractmethod
    def advance(self, steps: int, rate: float) -> list[float]:
        """That many steps at `rate`, or the schedule's if that is less; their losses, fewer where it was stopped.

        Diverged if one is not finite.
        """

    @abstractmethod
    def kept(self) -> Any:
        """What `resume` needs to go on from here."""

    @abstractmethod
    def resume(self, state: Any) -> None:
        """Go on from what was kept."""

    def run(self, starts: Sequence[Callable[[], None]]) -> Outcome:
        """Optimise from the best of `starts`, each of which sets the guide; Diverged where none stays finite."""
        losses: list[float] = []
        if len(starts) > 1 and self.plan.steps >= 2 * len(starts):
            losses = self._best(starts)
        else:
            starts[0]()
            self.restart()
        plan, rate, before, late = self.plan, self.plan.lr, None, None
        while self.steps < plan.steps and not self.stopped:
            left = plan.steps - self.steps
            losses = self.advance(min(plan.window or left, left), rate)
            if plan.window and len(losses) == plan.window:
                if before is not None and not improved(before, losses):
                    if rate <= plan.lr * plan.lr_decay:
                        return Outcome(self.steps, losses[-1], "converged")
                    rate = max(rate / 2, plan.lr * plan.lr_decay)
                before = losses
                late = losses if late is None and 2 * self.steps > plan.steps else late
        gain, error = gained(late, before) if late and before else (0.0, 0.0)
        stop: Stop = "target" if self.stopped else "steps"
        return Outcome(self.steps, losses[-1], stop, max(0.0, gain - 3.0 * error))

    def _best(self, starts: Sequence[Callable[[], None]]) -> list[float]:
        """Make a short run from every start and go back to the end of the best, by its ELBO over the last half.

        Where one is stopped it stays there, with its losses.
        """
        plan, best, failure = self.plan, (math.inf, None), None
        length = min(max(plan.steps // SHORT, SHORTEST), plan.steps // (2 * len(starts)))
        for start in starts:
            start()
            self.restart()
            try:
                losses = self.advance(length, plan.lr)
            except Diverged as error:
                failure = error
                continue
            if self.stopped:
                return losses
            if (score := float(np.mean(losses[length // 2 :]))) < best[0]:
                best = score, self.kept()
        if best[1] is None:
            raise failure
        self.resume(best[1])
        return []


def improved(before: Sequence[float], after: Sequence[float]) -> bool:
    """Whether the mean of losses has fallen by more than the standard error of the difference, and not negligibly."""
    gain, error = gained(before, after)
    return gain > max(error, NEGLIGIBLE)


def gained(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    """By how much the mean of losses has fallen, and the standard error of that."""
    error = math.sqrt(np.var(before, ddof=1) / len(before) + np.var(after, ddof=1) / len(after))
    return float(np.mean(before) - np.mean(after)), error

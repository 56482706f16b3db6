"""The loop of `pyro.svi`: short runs from several starts, then Adam from the best of them until the ELBO is still.

The learning rate is halved when the mean ELBO of a window of steps exceeds that of the window before by no more than
the standard error of their difference; at the slowest it falls exponentially over the second half of the steps, so that
few steps reach far enough first. Where it has its last value and the ELBO stands still, the fit is over. Welandawe et
al. (2022, arXiv:2203.15945) halve the rate and stop by averages over windows and their errors (after Dhaka et al. 2020,
arXiv:2009.00666), of the iterates instead of the ELBO.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.types import Diverged

NEGLIGIBLE = 1e-3
"""Nats that a window must gain at least, where the ELBO has no noise: a Laplace approximation's search for its mode."""
SHORT, SHORTEST = 20, 100
"""A short run takes a twentieth of all steps, or 100; all of them together at most half of the steps."""

Stop = Literal["converged", "steps"]


class Plan(NamedTuple):
    """Steps at most, in all; the first learning rate and its last one as a factor; starts; steps of a window."""

    steps: int
    lr: float
    lr_decay: float
    restarts: int
    window: int


class Outcome(NamedTuple):
    """Steps made, short runs included, the loss of the last, and what ended them."""

    steps: int
    loss: float
    stop: Stop


@dataclass
class Search:
    """One optimisation of `guide`; `checkpoint(step, loss)` is called after every step."""

    plan: Plan
    guide: Any
    loss: Callable[[], Tensor]
    checkpoint: Callable[[int, float], None]
    steps: int = 0
    optimiser: torch.optim.Adam = field(init=False)

    def __post_init__(self) -> None:
        self._restart()

    def run(self, starts: Sequence[Callable[[], None]]) -> Outcome:
        """Optimise from the best of `starts`, each of which sets the guide; Diverged where none stays finite."""
        if len(starts) > 1 and self.plan.steps >= 2 * len(starts):
            self._best(starts)
        else:
            starts[0]()
            self._restart()
        plan, rate, before = self.plan, self.plan.lr, None
        while self.steps < plan.steps:
            left = plan.steps - self.steps
            losses = self._advance(min(plan.window or left, left), rate)
            if plan.window and len(losses) == plan.window:
                if before is not None and not improved(before, losses):
                    if rate <= plan.lr * plan.lr_decay:
                        return Outcome(self.steps, losses[-1], "converged")
                    rate = max(rate / 2, plan.lr * plan.lr_decay)
                before = losses
        return Outcome(self.steps, losses[-1], "steps")

    def _best(self, starts: Sequence[Callable[[], None]]) -> None:
        """Make a short run from every start and go back to the end of the best, by its ELBO over the last half."""
        plan, best, failure = self.plan, (math.inf, None, None), None
        length = min(max(plan.steps // SHORT, SHORTEST), plan.steps // (2 * len(starts)))
        for start in starts:
            start()
            self._restart()
            try:
                losses = self._advance(length, plan.lr)
            except Diverged as error:
                failure = error
                continue
            if (score := float(np.mean(losses[length // 2 :]))) < best[0]:
                best = score, deepcopy(self.guide.state_dict()), deepcopy(self.optimiser.state_dict())
        if best[1] is None:
            raise failure
        self.guide.load_state_dict(best[1])
        self.optimiser.load_state_dict(best[2])

    def _restart(self) -> None:
        self.optimiser = torch.optim.Adam(self.guide.parameters(), lr=self.plan.lr, fused=True)

    def _advance(self, steps: int, rate: float) -> list[float]:
        """That many steps at `rate` or the schedule's, whichever is less; their losses."""
        plan, losses = self.plan, list[float]()
        for _ in range(steps):
            slowest = plan.lr * plan.lr_decay ** max(0.0, 2.0 * self.steps / plan.steps - 1.0)
            self.optimiser.param_groups[0]["lr"] = min(rate, slowest)
            self.optimiser.zero_grad()
            loss = self.loss()
            loss.backward()
            self.optimiser.step()
            self.steps += 1
            losses.append(loss.item())  # as Pyro's own SVI.step does
            if not math.isfinite(losses[-1]):
                raise Diverged(f"−ELBO is {losses[-1]:g} at step {self.steps}")
            self.checkpoint(self.steps, losses[-1])
        return losses


def improved(before: Sequence[float], after: Sequence[float]) -> bool:
    """Whether the mean of losses has fallen by more than the standard error of the difference, and not negligibly."""
    gain = float(np.mean(before) - np.mean(after))
    error = math.sqrt(np.var(before, ddof=1) / len(before) + np.var(after, ddof=1) / len(after))
    return gain > max(error, NEGLIGIBLE)

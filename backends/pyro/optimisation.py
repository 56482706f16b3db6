"""The steps of `pyro.svi`: Adam on the parameters of a guide, one loss and its gradient per step."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from backends._shared import search
from backends._shared.search import Plan
from bench.types import Diverged

__all__ = ["Plan", "Search"]


@dataclass
class Search(search.Search):
    """One optimisation of `guide`; `checkpoint(step, loss)` is asked after every step whether to stop."""

    plan: Plan
    guide: Any
    loss: Callable[[], Tensor]
    checkpoint: Callable[[int, float], bool]
    steps: int = 0
    optimiser: torch.optim.Adam = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new optimiser."""
        self.optimiser = torch.optim.Adam(self.guide.parameters(), lr=self.plan.lr, fused=True)

    def kept(self) -> Any:
        """Parameters, and what Adam remembers."""
        return deepcopy(self.guide.state_dict()), deepcopy(self.optimiser.state_dict())

    def resume(self, state: Any) -> None:
        """Go on from there."""
        self.guide.load_state_dict(state[0])
        self.optimiser.load_state_dict(state[1])

    def advance(self, steps: int, rate: float) -> list[float]:
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
            if self.checkpoint(self.steps, losses[-1]):
                self.stopped = True
                break
        return losses

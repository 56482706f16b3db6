"""SVI of Pyro at work: the ELBO of a model and a guide, the steps that maximise it, and what is read from q."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyro
import torch
from pyro.infer import JitTrace_ELBO, Trace_ELBO
from torch import Tensor

from backends._shared import search, vi
from backends._shared.search import Plan
from backends._shared.vi import DRAWS, State
from backends.pyro import guides, models, moments
from bench.types import Budget, Clock, Dataset, Diverged, Estimate, Place


@dataclass
class Program:
    """Guide and −ELBO, made once; the guide is set back to its start before each fit. A step is so many `gradients`."""

    options: Any
    plan: Plan
    place: Place
    guide: guides.MeanField | guides.Automatic
    loss: Callable[..., Tensor]
    gradients: float

    def reset(self, seed: int) -> None:
        """Begin as in a fresh process."""
        pyro.clear_param_store()
        pyro.set_rng_seed(seed)
        self.guide.reset(torch.Generator().manual_seed(seed))


def prepare(data: Dataset, budget: Budget, options: Any, place: Place) -> Program:
    """Make model, guide and ELBO."""
    pyro.enable_validation(False)
    pyro.clear_param_store()
    model = models.model(data, place, options.batch_size or None)
    guide = guides.make(options.guide, data, place, model, models.feed(data, place, options.batch_size)())
    many = options.particles > 1 and not data.source  # a user's model need not broadcast over particles
    settings: dict[str, Any] = {"vectorize_particles": many, "max_plate_nesting": 1}
    if options.jit:
        elbo = JitTrace_ELBO(options.particles, ignore_jit_warnings=True, **settings)
    else:
        elbo = Trace_ELBO(options.particles, **settings)
    plan = Plan(budget.steps, options.lr, options.lr_decay, options.restarts, options.window)
    rows = options.batch_size / len(data.arrays["y"]) if options.batch_size else 1.0
    loss = partial(elbo.differentiable_loss, model, guide)
    return Program(options, plan, place, guide, loss, options.particles * rows)


def trace(program: Program, data: Dataset) -> None:
    """Trace the ELBO on arrays of the same shapes."""
    program.reset(0)
    args = models.feed(data, program.place, program.options.batch_size)()
    program.guide(*args)
    with warnings.catch_warnings():  # Pyro 1.9 knows no other compiler than the one torch now calls deprecated
        warnings.filterwarnings("ignore", "`torch.jit.trace", DeprecationWarning)
        warnings.filterwarnings("ignore", "Encountered", UserWarning)  # known errors are zero in a skeleton
        for _ in range(3):  # the executor optimises during its first calls, backward included
            program.loss(*args).backward()


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Maximise the ELBO, then draw from q; Diverged when q leaves the finite numbers."""
    guide, plan = program.guide, program.plan
    program.reset(seed)
    starts = [partial(guide.reset, torch.Generator().manual_seed(seed))] * plan.restarts
    with clock("transfer"):
        feed = models.feed(data, program.place, program.options.batch_size, seed)

    def checkpoint(step: int, loss: float) -> bool:
        def look() -> Estimate:
            return moments.estimate(guide.current(), data, step, loss, vi.MOMENT_DRAWS_AT_CHECKPOINTS)

        return clock.checkpoint(step, look, gradients=step * program.gradients)

    with clock("sample"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Encountered", UserWarning)  # Pyro's word on a loss that `Search` looks at
        guide(*feed())  # registers the parameters, which a traced ELBO looks up by name
        outcome = Search(plan, guide, lambda: program.loss(*feed()), checkpoint).run(starts)
        q = guide.posterior(*feed())
        z = q.sample((DRAWS,))
    estimate = moments.estimate(q, data, outcome.steps, outcome.loss, vi.MOMENT_DRAWS)
    log_q = q.log_prob(z).detach().double().cpu().numpy()
    return State(data, estimate, z.double().cpu().numpy(), log_q, vi.statistics(outcome, program.gradients))


@dataclass
class Search(search.Search):
    """Adam on the parameters of `guide`, a loss and its gradient per step.

    `checkpoint(step, loss)` is asked after every step whether to stop.
    """

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

"""Stochastic variational inference; one step is one ELBO gradient per particle, on all rows or a mini-batch.

What a careful user does is done: several particles, several starts, a learning rate that falls, a stop once the ELBO
stands still (see `optimisation`); validation is off. With `jit` the ELBO is traced once, in the compile phase.
`restarts=1,particles=1,lr_decay=1,window=0` is plain Adam for all the steps of the budget.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pyro
import torch
from pyro.infer import JitTrace_ELBO, Trace_ELBO
from torch import Tensor

from backends._shared import stream, vi
from backends._shared.vi import DRAWS, State
from backends.pyro import guides, models, moments
from backends.pyro import map as delta
from backends.pyro.optimisation import Plan, Search
from bench.types import Budget, Clock, Dataset, Diverged, Estimate, Fit, Place, Unsupported, option

KIND = "vi"
KIND_OF = {"guide=delta": "point"}
DEFAULTS = {"guide": "normal", "lr": 0.001, "lr_decay": 1.0, "particles": 1, "restarts": 1, "window": 0}
"""The constructors' own: Adam at 0.001 held fixed, one particle, one start, no stop; Pyro has no default guide."""
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Options:
    """Guide, optimiser and ELBO."""

    guide: Literal["manual", "normal", "multivariate_normal", "low_rank", "laplace", "delta"] = option(
        "manual", "family of q"
    )
    lr: float = option(0.05, "learning rate of Adam")
    lr_decay: float = option(0.01, "last learning rate, as a factor of the first")
    particles: int = option(16, "draws from q per ELBO gradient, vectorised")
    restarts: int = option(3, "starts; the best ELBO of as many short runs goes on")
    window: int = option(100, "steps whose mean ELBO is compared with that of the window before; 0: no early stop")
    batch_size: int = option(0, "rows per step, drawn without replacement; 0: all")
    jit: bool = option(False, "trace the ELBO once instead of running model and guide in Python at each step")


@dataclass
class Program:
    """Model, guide and ELBO, made once; the guide is set back to its start before each fit."""

    options: Options
    steps: int
    place: Place
    guide: Any
    loss: Callable[..., Tensor]
    fraction: float


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program | delta.Program:
    """Make model, guide and ELBO; Unsupported for a guide or mini-batch the model cannot take."""
    if options.batch_size:
        stream.check(data, options.batch_size)
    if options.guide == "delta":
        if options != Options(guide="delta", lr=options.lr):
            raise Unsupported("guide=delta takes lr alone: a point is found by pyro.map, which has no other option")
        return delta.build(data, budget, delta.Options(lr=options.lr), place)
    vi.check(options)
    pyro.enable_validation(False)
    pyro.clear_param_store()
    model = models.model(data, place, options.batch_size or None)
    args = _shapes(options, data, place)
    guide = guides.make(options.guide, data, place, model, args)
    many = options.particles > 1 and not data.source  # a user's model need not broadcast over particles
    settings: dict[str, Any] = {"vectorize_particles": many, "max_plate_nesting": 1}
    if options.jit:
        elbo = JitTrace_ELBO(options.particles, ignore_jit_warnings=True, **settings)
    else:
        elbo = Trace_ELBO(options.particles, **settings)
    fraction = options.batch_size / len(data.arrays["y"]) if options.batch_size else 1.0
    return Program(options, budget.steps, place, guide, partial(elbo.differentiable_loss, model, guide), fraction)


def compile(program: Program | delta.Program, data: Dataset) -> None:
    """Trace the ELBO on arrays of the same shapes, if it is to be traced."""
    if isinstance(program, Program) and program.options.jit:
        _reset(program, 0)
        args = _shapes(program.options, data, program.place)
        program.guide(*args)
        with warnings.catch_warnings():  # Pyro 1.9 knows no other compiler than the one torch now calls deprecated
            warnings.filterwarnings("ignore", "`torch.jit.trace", DeprecationWarning)
            warnings.filterwarnings("ignore", "Encountered", UserWarning)  # known errors are zero in a skeleton
            for _ in range(3):  # the executor optimises during its first calls, backward included
                program.loss(*args).backward()


def fit(program: Program | delta.Program, data: Dataset, seed: int, clock: Clock) -> State | delta.State:
    """Maximise the ELBO, then draw from q; Diverged when q leaves the finite numbers."""
    if isinstance(program, delta.Program):
        return delta.fit(program, data, seed, clock)
    options, guide = program.options, program.guide
    _reset(program, seed)
    starts = [partial(guide.reset, torch.Generator().manual_seed(seed))] * options.restarts
    particle_fraction = options.particles * program.fraction
    with clock("transfer"):
        feed = _feed(program, data, seed)

    def checkpoint(step: int, loss: float) -> bool:
        return clock.checkpoint(step, partial(_look, program, data, step, loss), gradients=step * particle_fraction)

    with clock("sample"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Encountered", UserWarning)  # Pyro's word on a loss that `Search` looks at
        guide(*feed())  # registers the parameters, which a traced ELBO looks up by name
        plan = Plan(program.steps, options.lr, options.lr_decay, options.restarts, options.window)
        outcome = Search(plan, guide, lambda: program.loss(*feed()), checkpoint).run(starts)
        posterior = guide.posterior(*feed())
    with clock("sample"):
        z = posterior.sample((DRAWS,))
    estimate = _look(program, data, outcome.steps, outcome.loss, posterior)
    log_q = posterior.log_prob(z).detach().double().cpu().numpy()
    return State(data, estimate, z.double().cpu().numpy(), log_q, vi.statistics(outcome, particle_fraction))


def _shapes(options: Options, data: Dataset, place: Place) -> tuple[Tensor, ...]:
    """Tensors of the shapes that model and guide are called with: all rows, or of data that lie in a file a batch."""
    arrays = stream.first(data, options.batch_size) if options.batch_size and data.chunk_rows else data.arrays
    return models.to_tensors(arrays, data, place)


def _feed(program: Program, data: Dataset, seed: int) -> Callable[[], tuple[Tensor, ...]]:
    """What model and guide are called with at each step: all rows, moved here, or the next batch of a file's."""
    options, place = program.options, program.place
    if options.batch_size and data.chunk_rows:
        rows = stream.Stream(data, seed)
        return lambda: models.to_tensors(rows.take(options.batch_size), data, place)
    args = models.to_tensors(data.arrays, data, place)
    return lambda: args


def _reset(program: Program, seed: int) -> None:
    pyro.clear_param_store()
    pyro.set_rng_seed(seed)
    program.guide.reset(torch.Generator().manual_seed(seed))
    for leaf in program.guide.parameters():
        leaf.grad = None


def _look(program: Program, data: Dataset, step: int, loss: float, posterior: Any = None) -> Estimate:
    """Moments of q and the −ELBO estimate of this step; Diverged if they are not finite."""
    q = program.guide.current() if posterior is None else posterior
    loc, scale = (x.detach().double().cpu().numpy() for x in (q.mean, q.stddev))
    if not (np.isfinite(loc).all() and np.isfinite(scale).all()):
        raise Diverged(f"−ELBO is {loss:g} at step {step}, and q has {np.sum(~np.isfinite(loc))} lost means")
    mean, sd = moments.of(q, data, vi.MOMENT_DRAWS_AT_CHECKPOINTS if posterior is None else vi.MOMENT_DRAWS)
    return Estimate(mean, sd if scale.any() else None, loss, lambda: moments.draws(q, data, DRAWS))


def draw(state: State | delta.State) -> Fit:
    """4000 independent draws of q as one chain with their log density, and its moments; of a delta, its point."""
    if isinstance(state, delta.State):
        return delta.draw(state)
    return vi.draw(state)

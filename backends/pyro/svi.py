"""Stochastic variational inference; one step is one ELBO gradient per particle, on all rows or a mini-batch.

What a careful user does is done: several particles, several starts, a learning rate that falls, a stop once the ELBO
stands still (see `backends._shared.search`); validation is off. With `jit` the ELBO is traced in the compile phase.
`restarts=1,particles=1,lr_decay=1,window=0` is plain Adam for all the steps of the budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backends._shared import stream, vi
from backends.pyro import map as delta
from backends.pyro import optimisation
from backends.pyro.optimisation import Program
from bench.types import Budget, Clock, Dataset, Fit, Place, Unsupported, option

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


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program | delta.Program:
    """Make model, guide and ELBO; Unsupported for a guide or mini-batch the model cannot take."""
    if options.batch_size:
        stream.check(data, options.batch_size)
    if options.guide != "delta":
        vi.check(options)
        return optimisation.prepare(data, budget, options, place)
    if options != Options(guide="delta", lr=options.lr):
        raise Unsupported("guide=delta takes lr alone: a point is found by pyro.map, which has no other option")
    return delta.build(data, budget, delta.Options(lr=options.lr), place)


def compile(program: Program | delta.Program, data: Dataset) -> None:
    """Trace the ELBO on arrays of the same shapes, if it is to be traced."""
    if isinstance(program, Program) and program.options.jit:
        optimisation.trace(program, data)


def fit(program: Program | delta.Program, data: Dataset, seed: int, clock: Clock) -> vi.State | delta.State:
    """Maximise the ELBO, then draw from q; Diverged when q leaves the finite numbers."""
    method = optimisation if isinstance(program, Program) else delta
    return method.fit(program, data, seed, clock)


def draw(state: vi.State | delta.State) -> Fit:
    """4000 independent draws of q as one chain with their log density, and its moments; of a delta, its point."""
    return delta.draw(state) if isinstance(state, delta.State) else vi.draw(state)

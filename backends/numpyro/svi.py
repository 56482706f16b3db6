"""Stochastic variational inference of NumPyro, compiled ahead of time; one step is one ELBO gradient per particle.

What a careful user does is done, as in `pyro.svi`: several particles, several starts, a learning rate that falls, a
stop once the ELBO stands still (see `backends._shared.search`). `restarts=1,particles=1,lr_decay=1,window=0` is plain
Adam for all the steps of the budget. Counted is a gradient per particle and step, those of short runs included; with
mini-batches the share of the rows that it is of. These are fed in pass after pass over shuffled rows, since NumPyro's
`plate(subsample_size=…)` must have all rows on the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from numpyro.infer import Trace_ELBO

from backends._shared import stream, vi
from backends._shared.vi import draw
from backends.numpyro import guides, models, variational
from backends.numpyro.stepping import Plan, Stepper
from backends.numpyro.variational import compile, fit
from bench.types import Budget, Dataset, Place, Unsupported, option

__all__ = ["DEFAULTS", "DEVICES", "KIND", "Options", "build", "compile", "draw", "fit"]

KIND = "vi"
DEFAULTS = {"lr": 0.001, "lr_decay": 1.0, "particles": 1, "restarts": 1, "window": 0}
"""NumPyro's own: a fixed rate, for which it has no default, one particle, one start, no stop, and no default guide."""
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Options:
    """Guide, optimiser and ELBO."""

    guide: Literal["normal", "multivariate", "low_rank", "iaf"] = option("normal", "family of q")
    lr: float = option(0.05, "learning rate of Adam")
    lr_decay: float = option(0.01, "last learning rate, as a factor of the first")
    particles: int = option(16, "draws from q per ELBO gradient, vectorised")
    restarts: int = option(3, "starts; the best ELBO of as many short runs goes on")
    window: int = option(100, "steps whose mean ELBO is compared with that of the window before; 0: no early stop")
    batch_size: int = option(0, "rows per step, drawn without replacement; 0: all")


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> variational.Program:
    """Write the programs; Unsupported for a guide the model cannot take and settings without a meaning."""
    vi.check(options)
    if options.guide == "iaf" and data.dim == 1:
        raise Unsupported("guide=iaf: an autoregressive flow needs two scalars or more, and this model has one")
    rows = 1.0
    if options.batch_size:
        stream.check(data, options.batch_size)
        rows = options.batch_size / len(data.arrays["y"])
    model = models.model(data)
    stepper = Stepper(
        model,
        lambda: guides.AUTOGUIDES[options.guide](model),
        Trace_ELBO(options.particles),
        Plan(budget.steps, options.lr, options.lr_decay, options.restarts, options.window),
        place.dtype,
        lambda guide, z: guides.start(guide, data, z),
        variational.batches(data, options.batch_size),
    )
    sample = variational.sampler(stepper, data)
    return variational.Program(place, stepper, sample, options.particles * rows, options.batch_size)

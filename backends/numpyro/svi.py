"""Stochastic variational inference of NumPyro, compiled ahead of time; one step is one ELBO gradient per particle.

What a careful user does is done, as in `pyro.svi`: several particles, several starts, a learning rate that falls, a
stop once the ELBO stands still (see `backends._shared.search`). `restarts=1,particles=1,lr_decay=1,window=0` is plain
Adam for all the steps of the budget. Counted is a gradient per particle and step, those of short runs included; with
mini-batches the share of the rows that it is of. These are fed in pass after pass over shuffled rows, since NumPyro's
`plate(subsample_size=…)` must have all rows on the device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from numpyro.infer import Trace_ELBO

from backends._shared import moments, stream
from backends._shared.search import Outcome
from backends.numpyro import guides, models
from backends.numpyro.stepping import LONGEST, Arguments, Plan, Search, Stepper
from bench.data import family
from bench.types import Array, Budget, Clock, Dataset, Diverged, Estimate, Fit, Place, Unsupported, option

KIND = "vi"
DEFAULTS = {"lr": 0.001, "lr_decay": 1.0, "particles": 1, "restarts": 1, "window": 0}
"""NumPyro's own: a fixed rate, for which it has no default, one particle, one start, no stop, and no default guide."""
DEVICES = ("cpu", "cuda")
DRAWS = 4000
FED_ROWS = 100_000
"""Rows of mini-batches that are handed over at once at most, where a chunk has not fewer."""
MOMENT_DRAWS, MOMENT_DRAWS_AT_CHECKPOINTS = 100_000, 10_000
"""Draws of q behind its moments where these have no quadrature; the clock stands still meanwhile."""


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


@dataclass
class Program:
    """The steps, and how draws are taken from a state, compiled by `compile`; a gradient is of a `fraction` of rows."""

    options: Options
    place: Place
    stepper: Stepper
    sample: Callable[..., Any]
    fraction: float


class State(NamedTuple):
    """Moments of q, draws z of it with the log density of q there, and the cost."""

    data: Dataset
    estimate: Estimate
    z: Array
    log_q: Array
    stats: dict[str, Any]


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Write the programs; Unsupported for a guide the model cannot take and settings without a meaning."""
    if options.restarts < 1 or options.particles < 1 or options.window < 0 or not 0 < options.lr_decay <= 1:
        raise Unsupported(
            f"restarts={options.restarts}, particles={options.particles}, window={options.window}, lr_decay="
            f"{options.lr_decay:g}: allowed are 1 or more, 1 or more, 0 or more, and above 0 to 1"
        )
    if options.guide == "iaf" and data.dim == 1:
        raise Unsupported("guide=iaf: an autoregressive flow needs two scalars or more, and this model has one")
    batches, fraction = 0, 1.0
    if options.batch_size:
        stream.check(data, options.batch_size)
        fed = min(FED_ROWS, data.chunk_rows or FED_ROWS)
        batches, fraction = min(LONGEST, max(1, fed // options.batch_size)), options.batch_size / len(data.arrays["y"])
    model = models.model(data)
    stepper = Stepper(
        model,
        lambda: guides.AUTOGUIDES[options.guide](model),
        Trace_ELBO(options.particles),
        Plan(budget.steps, options.lr, options.lr_decay, options.restarts, options.window),
        place.dtype,
        lambda guide, z: guides.start(guide, data, z),
        batches,
    )

    def sample(state: Any, key: jax.Array, *args: jax.Array) -> Any:
        svi, guide = stepper.prepared(args)
        params = svi.get_params(state)
        gaussian = guides.moments(guide, data, params) if options.guide in guides.GAUSSIAN else None
        return guides.sample(guide, data, params, key, DRAWS), gaussian

    return Program(options, place, stepper, sample, fraction)


def compile(program: Program, data: Dataset) -> None:
    """Compile start, steps and draws for the shapes of `data`."""
    args = _feed(program, data, 0)(1)
    state = program.stepper.compile(np.zeros(data.dim, program.place.dtype), args)
    program.sample = jax.jit(program.sample).lower(state, jax.random.key(0), *args).compile()


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Maximise the ELBO, then draw from q; Diverged when q leaves the finite numbers."""
    options, stepper, rng = program.options, program.stepper, np.random.default_rng(seed)
    particle_fraction = options.particles * program.fraction
    with clock("transfer"):
        feed = _feed(program, data, seed)
        keys, args = [jax.random.key(seed + i) for i in range(options.restarts + 1)], feed(1)
        jax.block_until_ready((keys, args))

    def checkpoint(step: int, state: Any, loss: float) -> bool:
        look = partial(_look, program, data, args, state, step, loss, MOMENT_DRAWS_AT_CHECKPOINTS)
        return clock.checkpoint(step, look, gradients=step * particle_fraction)

    def begin(key: jax.Array) -> None:
        search.state = stepper.start(key, rng.uniform(-2, 2, data.dim).astype(program.place.dtype), args)

    search = Search(stepper.plan, stepper, feed, checkpoint)
    with clock("sample"):
        outcome: Outcome = search.run([partial(begin, key) for key in keys[1:]])
        (z, log_q), _ = jax.block_until_ready(program.sample(search.state, keys[0], *args))
    estimate = _look(program, data, args, search.state, outcome.steps, outcome.loss, MOMENT_DRAWS)
    stats = {"steps": outcome.steps, "gradients": outcome.steps * particle_fraction, "stop": outcome.stop}
    return State(data, estimate, np.asarray(z, np.float64), np.asarray(log_q, np.float64), stats)


def _feed(program: Program, data: Dataset, seed: int) -> Callable[[int], Arguments]:
    """What the programs are given for so many steps: all rows, moved here, or a batch for each, of as many as fit."""
    size, batches = program.options.batch_size, program.stepper.batches
    if not size:
        args = models.to_arrays(data.arrays, data, program.place)
        return lambda _: args
    rows = stream.Stream(data, seed)

    def feed(count: int) -> Arguments:
        taken = rows.take(count * size)
        shaped = {name: np.zeros((batches, size, *x.shape[1:]), x.dtype) for name, x in taken.items()}
        for name, x in taken.items():
            shaped[name][:count] = x.reshape(count, size, *x.shape[1:])
        return models.to_arrays(shaped, data, program.place)

    return feed


def _look(
    program: Program, data: Dataset, args: tuple[jax.Array, ...], state: Any, step: int, loss: float, draws: int
) -> Estimate:
    """Moments of q and the −ELBO estimate of this step; Diverged if they are not finite."""
    keys = map(jax.random.key, count())  # splitting one would compile another program

    def sample(n: int) -> Array:
        blocks = [program.sample(state, next(keys), *args)[0][0] for _ in range(-(-n // DRAWS))]
        return np.concatenate(blocks)[:n].astype(np.float64)

    _, gaussian = program.sample(state, next(keys), *args)
    with np.errstate(over="ignore", invalid="ignore"):  # as where q has run away
        if gaussian is None:
            mean, sd = moments.by_draws(sample, data, draws)
        else:
            loc, scale = (np.asarray(x, np.float64) for x in gaussian)
            mean, sd = moments.of(loc, scale, sample, data, draws)
    if not all(np.isfinite(x).all() for x in (*mean.values(), *sd.values())):
        raise Diverged(f"−ELBO is {loss:g} at step {step}, and moments of q are not finite")
    return Estimate(mean, sd, loss, lambda: family(data.family).constrain(data, sample(DRAWS)))


def draw(state: State) -> Fit:
    """4000 independent draws of q as one chain with their log density, and its moments."""
    draws = family(state.data.family).constrain(state.data, state.z)
    of_q = {name: (state.estimate.mean[name], (state.estimate.sd or {})[name]) for name in draws}
    stats = {**state.stats, "log_q": state.log_q[None]}
    return Fit("vi", {name: value[None] for name, value in draws.items()}, stats=stats, moments=of_q)

"""SVI of NumPyro at work: its programs, compiled ahead of time, what they are fed with, and what is read from q."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import jax
import numpy as np

from backends._shared import moments, stream, vi
from backends._shared.vi import DRAWS, State
from backends.numpyro import guides, models
from backends.numpyro.stepping import LONGEST, Arguments, Search, Stepper
from bench.data import family
from bench.types import Array, Clock, Dataset, Diverged, Estimate, Place

FED_ROWS = 100_000
"""Rows of mini-batches that are handed over at once at most, where a chunk has not fewer."""


@dataclass
class Program:
    """The steps, and how draws are taken from a state, compiled by `compile`; a step is so many `gradients`.

    `batch` are the rows of a step; 0: all.
    """

    place: Place
    stepper: Stepper
    sample: Callable[..., Any]
    gradients: float
    batch: int


def batches(data: Dataset, size: int) -> int:
    """Mini-batches of so many rows that are handed over at once; 0 where all rows are."""
    fed = min(FED_ROWS, data.chunk_rows or FED_ROWS)
    return min(LONGEST, max(1, fed // size)) if size else 0


def sampler(stepper: Stepper, data: Dataset) -> Callable[..., Any]:
    """Draws of q with their log density, and its moments where they are known, of a state of SVI."""

    def sample(state: Any, key: jax.Array, *args: jax.Array) -> Any:
        svi, guide = stepper.prepared(args)
        params = svi.get_params(state)
        return guides.sample(guide, data, params, key, DRAWS), guides.moments(guide, data, params)

    return sample


def compile(program: Program, data: Dataset) -> None:
    """Compile start, steps and draws for the shapes of `data`."""
    args = _feed(program, data, 0)(1)
    state = program.stepper.compile(np.zeros(data.dim, program.place.dtype), args)
    program.sample = jax.jit(program.sample).lower(state, jax.random.key(0), *args).compile()


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Maximise the ELBO, then draw from q; Diverged when q leaves the finite numbers."""
    stepper, rng = program.stepper, np.random.default_rng(seed)
    with clock("transfer"):
        feed = _feed(program, data, seed)
        keys, args = [jax.random.key(seed + i) for i in range(stepper.plan.restarts + 1)], feed(1)
        jax.block_until_ready((keys, args))

    def checkpoint(step: int, state: Any, loss: float) -> bool:
        look = partial(_look, program, data, args, state, step, loss, vi.MOMENT_DRAWS_AT_CHECKPOINTS)
        return clock.checkpoint(step, look, gradients=step * program.gradients)

    search = Search(stepper.plan, stepper, feed, checkpoint)
    with clock("sample"):
        starts = [rng.uniform(-2, 2, data.dim).astype(program.place.dtype) for _ in keys[1:]]
        outcome = search.run([partial(search.begin, key, z, args) for key, z in zip(keys[1:], starts, strict=True)])
        (z, log_q), _ = jax.block_until_ready(program.sample(search.state, keys[0], *args))
    estimate = _look(program, data, args, search.state, outcome.steps, outcome.loss, vi.MOMENT_DRAWS)
    stats = vi.statistics(outcome, program.gradients)
    return State(data, estimate, np.asarray(z, np.float64), np.asarray(log_q, np.float64), stats)


def _feed(program: Program, data: Dataset, seed: int) -> Callable[[int], Arguments]:
    """What the programs are given for so many steps: all rows, moved here, or a batch for each, of as many as fit."""
    size, many = program.batch, program.stepper.batches
    if not size:
        args = models.to_arrays(data.arrays, data, program.place)
        return lambda _: args
    rows = stream.Stream(data, seed)

    def feed(count: int) -> Arguments:
        taken = rows.take(count * size)
        shaped = {name: np.zeros((many, size, *x.shape[1:]), x.dtype) for name, x in taken.items()}
        for name, x in taken.items():
            shaped[name][:count] = x.reshape(count, size, *x.shape[1:])
        return models.to_arrays(shaped, data, program.place)

    return feed


def _look(program: Program, data: Dataset, args: Arguments, state: Any, step: int, loss: float, draws: int) -> Estimate:
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

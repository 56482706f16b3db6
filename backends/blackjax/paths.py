"""The paths of multi-path Pathfinder as one program, and how often it evaluates the density."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
from blackjax.vi import multipathfinder, pathfinder

from backends.blackjax import models
from backends.blackjax.sampler import starts
from bench.types import Dataset


class Options(Protocol):
    """What the paths are told; see `backends.blackjax.pathfinder.Options`."""

    paths: int
    resample: bool
    elbo_draws: int
    iterations: int
    history: int


class Answer(NamedTuple):
    """Draws z (draw, dim), log q there, the best path's normal, each path's ELBO, and k-hat of all paths' weights."""

    z: jax.Array
    log_q: jax.Array
    best: pathfinder.PathfinderState
    elbo: jax.Array
    pareto_k: jax.Array
    evaluations: jax.Array


def search(data: Dataset, options: Options, draws: int) -> Callable[..., Answer]:
    """Paths, choice and draws, as a function of a key and the arrays of data like these."""

    def run(key: jax.Array, arrays: models.laws.Arrays) -> Answer:
        def density(z: jax.Array) -> jax.Array:
            return models.unconstrained(data, arrays, z)

        begin, along, last = jax.random.split(key, 3)
        at, evaluations, _ = starts(begin, density, options.paths, data.dim, options.paths)
        method = blackjax.multipathfinder(density)
        found, _ = method.init(along, at, options.elbo_draws, maxiter=options.iterations, maxcor=options.history)
        best = jax.tree.map(lambda x: x[jnp.argmax(found.path_states.elbo)], found.path_states)
        if options.resample:
            z, log_q = method.sample(last, found, draws), jnp.zeros(draws)
        else:
            z, log_q = pathfinder.sample(last, best, draws)
        pareto_k = multipathfinder.psis_weights(found)[1]
        return Answer(z, log_q, best, found.path_states.elbo, pareto_k, evaluations.sum())

    return run


def statistics(options: Options, answer: Answer) -> dict[str, Any]:
    """What a fit states: its work, its ELBO and k-hat."""
    return {
        "steps": options.iterations,
        "gradients": evaluations(options) + int(answer.evaluations),
        "elbo": float(np.max(answer.elbo)),
        "pareto_k": float(answer.pareto_k),
    }


def evaluations(options: Options) -> int:
    """Gradients of all paths but those behind their starts.

    Of a density alone each is counted as one gradient: at every point of a path for its ELBO, and for the weights. All
    steps of all paths are computed, whether or not a path has arrived. The library does not tell how many evaluations a
    step took: counted in its density there were 4 on a normal target and 4.4 to 5.3 on another, so that 4 leave out
    less than a hundredth of all there is.
    """
    densities = options.elbo_draws * (options.iterations + 2)
    return options.paths * (densities + 1 + 4 * options.iterations)

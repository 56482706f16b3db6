"""What the samplers share: two programs compiled ahead of time, warmup and sampling, for data and keys of every rep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from backends._shared.trajectories import plain
from backends.blackjax import models
from bench.data import family
from bench.types import Budget, Clock, Dataset, Diverged, Fit, Place

ATTEMPTS = 100
"""How often a start is drawn anew where density or gradient is not finite."""
CHAINS = "chains"
"""The axis over which chains are mapped."""

Density = Callable[[jax.Array], jax.Array]


class Work(NamedTuple):
    """Gradients of a warmup: useful ones (chain,), and those executed by all chains in lockstep."""

    useful: jax.Array
    executed: jax.Array


class Moves(NamedTuple):
    """Draws (chain, draw, dim) and what is known of each, (chain, draw); gradients are per draw."""

    z: jax.Array
    log_density: jax.Array
    gradients: jax.Array
    more: Mapping[str, jax.Array]


@dataclass
class Program:
    """A method's warmup and sampling; `chains` warm up, of which the budget's go on."""

    budget: Budget
    place: Place
    chains: int
    warm: Callable[..., Any]
    """(key, starts, density) → what sampling begins with, a pytree of arrays, and the `Work`."""
    sample: Callable[..., Moves]
    """(key, what the warmup gave, density) → the draws."""
    superchains: int = 0
    """Starts, one after another for the chains; 0: as many as chains."""
    finish: Callable[[Moves], dict[str, Any]] = field(default=lambda moves: {})
    """More statistics of the draws, on the host."""
    warming: Callable[..., Any] | None = None
    sampling: Callable[..., Any] | None = None


def compile(program: Program, data: Dataset) -> None:
    """Lower and compile both programs for the shapes of `data`, whose values they take as arguments."""

    def warming(key: jax.Array, arrays: models.laws.Arrays) -> Any:
        def density(z: jax.Array) -> jax.Array:
            return models.unconstrained(data, arrays, z)

        begin, key = jax.random.split(jax.random.fold_in(key, 0))
        at, evaluations, found = starts(begin, density, program.chains, data.dim, program.superchains or program.chains)
        tuned, work = program.warm(key, at, density)
        return tuned, Work(work.useful + evaluations, work.executed + evaluations.max()), found

    def sampling(key: jax.Array, tuned: Any, arrays: models.laws.Arrays) -> Moves:
        return program.sample(jax.random.fold_in(key, 1), tuned, lambda z: models.unconstrained(data, arrays, z))

    key, arrays = jax.random.key(0), models.to_arrays(data.arrays, data, program.place)
    program.warming = jax.jit(warming).lower(key, arrays).compile()
    tuned = jax.eval_shape(warming, key, arrays)[0]
    program.sampling = jax.jit(sampling).lower(key, tuned, arrays).compile()


Step = Callable[[jax.Array, Any, Any], tuple[Any, Any]]
"""(key, state, what was tuned) → state, and what the library says of the transition."""


def moves(
    step: Step,
    budget: Budget,
    key: jax.Array,
    states: Any,
    tuned: Any = None,
    *,
    per_step: int = 1,
    energy: bool = True,
) -> Moves:
    """Draws of all chains with everything held fixed; `states` and `tuned` are (chain, …).

    A state carries its gradient, so that an integrator's step costs `per_step`; `energy` says whether the method has
    one, of which E-BFMI is a diagnostic. BlackJAX states that of the proposal: one without a number is refused, and the
    draw keeps the energy before it.
    """

    def chain(key: jax.Array, state: Any, tuned: Any) -> Any:
        def one(carry: tuple[Any, jax.Array], key: jax.Array) -> tuple[tuple[Any, jax.Array], Moves]:
            state, info = step(key, carry[0], tuned)
            more = {"diverging": info.is_divergent, "accept_prob": info.acceptance_rate}
            last = jnp.where(jnp.isfinite(info.energy), info.energy, carry[1]) if energy else carry[1]
            more |= {"energy": last} if energy else {}
            return (state, last), Moves(state.position, state.logdensity, per_step * info.num_integration_steps, more)

        return jax.lax.scan(one, (state, -state.logdensity), jax.random.split(key, budget.draws))[1]

    drawn: Moves = jax.vmap(chain, axis_name=CHAINS)(jax.random.split(key, budget.chains), states, tuned)
    return drawn


def starts(
    key: jax.Array, density: Density, chains: int, dim: int, different: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Starts U(−2, 2) (chain, dim), drawn anew where not finite; evaluations per chain; which chains have one.

    So many are `different`, one after another for the chains.
    """

    def drawn(key: jax.Array, old: jax.Array, fine: jax.Array) -> tuple[jax.Array, jax.Array]:
        new = jax.random.uniform(key, (different, dim), old.dtype, -2.0, 2.0)[jnp.arange(chains) % different]
        z = jnp.where(fine[:, None], old, new)
        value, gradient = jax.vmap(jax.value_and_grad(density))(z)
        return z, jnp.isfinite(value) & jnp.isfinite(gradient).all(-1)

    def again(state: tuple[Any, ...]) -> tuple[Any, ...]:
        turn, z, fine, evaluations = state
        new, now = drawn(jax.random.fold_in(key, turn), z, fine)
        return turn + 1, new, now, evaluations + ~fine

    none = jnp.zeros(chains, bool)
    first = (0, jnp.zeros((chains, dim)), none, jnp.zeros(chains, int))
    _, z, fine, evaluations = jax.lax.while_loop(lambda s: (s[0] < ATTEMPTS) & ~s[2].all(), again, first)
    return z, evaluations, fine


class State(NamedTuple):
    """What a fit leaves on the device."""

    program: Program
    data: Dataset
    work: Work
    moves: Moves


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Warm up, then sample; Diverged where no start has a finite density."""
    with clock("transfer"):
        arrays = models.to_arrays(data.arrays, data, program.place)
        key = jax.random.key(seed)
        jax.block_until_ready((key, arrays))
    warming, sampling = program.warming, program.sampling
    assert warming is not None and sampling is not None, "compile comes before fit"
    with clock("warmup"):
        tuned, work, found = jax.block_until_ready(warming(key, arrays))
    if not np.all(found):
        raise Diverged(f"no start in U(−2, 2) with a finite log density in {ATTEMPTS} attempts")
    with clock("sample"):
        moves = jax.block_until_ready(sampling(key, tuned, arrays))
    return State(program, data, work, moves)


def draw(state: State) -> Fit:
    """Draws (chain, draw, …), with gradient counts: useful ones, and those that lockstep chains executed."""
    program, data, work, moves = state
    steps, warmup = np.asarray(moves.gradients, np.int64), int(np.sum(work.useful))
    executed = np.repeat(steps.max(0, keepdims=True), len(steps), axis=0)
    warmup_executed = program.chains * int(work.executed)
    stats = {
        "gradients": int(steps.sum()) + warmup,
        "gradients_warmup": warmup,
        "gradients_executed": int(executed.sum()) + warmup_executed,
        "gradients_executed_warmup": warmup_executed,
        "num_steps": steps,
        "num_steps_executed": executed,
        "log_density": plain(moves.log_density),
        **{name: plain(values) for name, values in moves.more.items()},
        **program.finish(moves),
    }
    if program.superchains and len(steps) % program.superchains == 0 and len(steps) >= 2 * program.superchains:
        stats["superchains"] = program.superchains
    draws = family(data.family).constrain(data, np.asarray(moves.z, np.float64))
    return Fit("mcmc", draws, stats=stats)

"""What the samplers share: two programs compiled ahead of time, warmup and sampling, for data and keys of every rep.

A fit that runs until a target calls the second once for every LONGEST draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
LONGEST = 100
"""Draws in one call at most, where chains are to go on."""
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


Step = Callable[[jax.Array, Any, Any], tuple[Any, Any]]
"""(key, state, what was tuned) → state, and what the library says of the transition."""


@dataclass
class Program:
    """A method's warmup and transitions; `chains` warm up, of which the budget's go on."""

    budget: Budget
    place: Place
    chains: int
    warm: Callable[..., tuple[Any, Work]]
    """(key, starts, density) → states of the budget's chains and what was tuned, pytrees of arrays; and the `Work`."""
    step: Callable[[Density], Step]
    together: bool = False
    """Whether all chains share what was tuned; else it is (chain, …), too."""
    per_step: int = 1
    """Gradients of an integrator's step."""
    energy: bool = True
    """Whether the method has one, of which E-BFMI is a diagnostic."""
    superchains: int = 0
    """Starts, one after another for the chains; 0: as many as chains."""
    longest: int | None = None
    """Gradients of a draw at which a doubling trajectory is cut off."""
    warming: Callable[..., Any] | None = None
    sampling: Callable[..., Any] | None = None

    @property
    def room(self) -> int:
        """Draws per chain in one call at most."""
        return LONGEST if self.budget.until else self.budget.draws


def compile(program: Program, data: Dataset) -> None:
    """Lower and compile both programs for the shapes of `data`, whose values they take as arguments."""

    def warming(key: jax.Array, arrays: models.laws.Arrays) -> Any:
        def density(z: jax.Array) -> jax.Array:
            return models.unconstrained(data, arrays, z)

        begin, key = jax.random.split(jax.random.fold_in(key, 0))
        at, evaluations, found = starts(begin, density, program.chains, data.dim, program.superchains or program.chains)
        chains, work = program.warm(key, at, density)
        return chains, Work(work.useful + evaluations, work.executed + evaluations.max()), found

    def sampling(key: jax.Array, chains: Any, first: Any, count: Any, arrays: models.laws.Arrays) -> tuple[Any, Moves]:
        step = program.step(lambda z: models.unconstrained(data, arrays, z))
        return moves(program, step, jax.random.fold_in(key, 1), chains, first, count)

    key, none, arrays = jax.random.key(0), np.int32(0), models.to_arrays(data.arrays, data, program.place)
    program.warming = jax.jit(warming).lower(key, arrays).compile()
    chains = jax.eval_shape(warming, key, arrays)[0]
    program.sampling = jax.jit(sampling).lower(key, chains, none, none, arrays).compile()


def moves(program: Program, step: Step, key: jax.Array, chains: Any, first: Any, count: Any) -> tuple[Any, Moves]:
    """So many draws of all `chains` (states, tuned) from the `first` on, and where they lead; room behind is empty.

    A state carries its gradient. BlackJAX states the energy of the proposal: one without a number is refused, and the
    draw keeps the energy before it.
    """
    states, tuned = chains

    def chain(key: jax.Array, state: Any, tuned: Any) -> tuple[Any, Moves]:
        def one(i: Any, state: Any, last: jax.Array) -> tuple[Any, jax.Array, Moves]:
            state, info = step(jax.random.fold_in(key, first + i), state, tuned)
            more = {"diverging": info.is_divergent, "accept_prob": info.acceptance_rate}
            last = jnp.where(jnp.isfinite(info.energy), info.energy, last) if program.energy else last
            more |= {"energy": last} if program.energy else {}
            gradients = program.per_step * info.num_integration_steps
            return state, last, Moves(state.position, state.logdensity, gradients, more)

        def after(i: Any, carry: tuple[Any, jax.Array, Moves]) -> tuple[Any, jax.Array, Moves]:
            state, last, move = one(i, *carry[:2])
            return state, last, jax.tree.map(lambda rows, row: rows.at[i].set(row), carry[2], move)

        begun = state, -state.logdensity
        shapes = jax.eval_shape(one, 0, *begun)[2]
        room = jax.tree.map(lambda x: jnp.zeros((program.room, *x.shape), x.dtype), shapes)
        state, _, made = jax.lax.fori_loop(0, count, after, (*begun, room))
        return state, made

    over = (0, 0, None if program.together else 0)
    keys = jax.random.split(key, program.budget.chains)
    states, made = jax.vmap(chain, over, axis_name=CHAINS)(keys, states, tuned)
    return (states, tuned), made


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
    """What a fit leaves on the device: `parts` of so many draws each, and where the chains are after them, `at`.

    `work` is that of the warmup, none of draws that follow others.
    """

    program: Program
    data: Dataset
    key: jax.Array
    arrays: models.laws.Arrays
    chains: Any
    work: Work
    at: int = 0
    parts: tuple[tuple[Moves, int], ...] = ()


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Warm up, then sample; Diverged where no start has a finite density."""
    with clock("transfer"):
        arrays = models.to_arrays(data.arrays, data, program.place)
        key = jax.random.key(seed)
        jax.block_until_ready((key, arrays))
    assert program.warming is not None, "compile comes before fit"
    with clock("warmup"):
        chains, work, found = jax.block_until_ready(program.warming(key, arrays))
    if not np.all(found):
        raise Diverged(f"no start in U(−2, 2) with a finite log density in {ATTEMPTS} attempts")
    return _more(State(program, data, key, arrays, chains, work), program.budget.draws, clock)


def resume(program: Program, data: Dataset, state: State, draws: int, clock: Clock) -> State:
    """So many further draws of all chains, from where `state` ended and tuned as it was; these alone."""
    none = Work(*(jnp.zeros_like(count) for count in state.work))
    return _more(state._replace(work=none, parts=()), draws, clock)


def _more(state: State, draws: int, clock: Clock) -> State:
    program, chains, at, parts = state.program, state.chains, state.at, []
    assert program.sampling is not None, "compile comes before fit"
    with clock("sample"):
        for first in range(at, at + draws, program.room):
            count = min(program.room, at + draws - first)
            chains, made = program.sampling(state.key, chains, np.int32(first), np.int32(count), state.arrays)
            parts.append((made, count))
        jax.block_until_ready((chains, parts))
    return state._replace(chains=chains, at=at + draws, parts=tuple(parts))


def draw(state: State) -> Fit:
    """Draws (chain, draw, …), with gradient counts: useful ones, and those that lockstep chains executed."""
    program, data, work = state.program, state.data, state.work
    kept = [jax.tree.map(lambda x, n=count: np.asarray(x)[:, :n], made) for made, count in state.parts]
    moves: Moves = jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *kept)
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
    }
    if program.longest is not None:
        stats["treedepth_hits"] = int((steps >= program.longest).sum())
    if program.superchains and len(steps) % program.superchains == 0 and len(steps) >= 2 * program.superchains:
        stats["superchains"] = program.superchains
    draws = family(data.family).constrain(data, np.asarray(moves.z, np.float64))
    return Fit("mcmc", draws, stats=stats)

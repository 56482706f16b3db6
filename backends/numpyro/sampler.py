"""Warmup and sampling of `numpyro.hmc` and `numpyro.nuts`: compiled ahead of time as one program that serves every rep.

`aot=false` calls `MCMC.run` as most users do, which compiles anew on every call. Counted are the gradients of all
trajectories, as NumPyro counts them, of which none is spent on a search for the first step size; the one or few of a
chain's start are not. A fit that runs until a target has two programs: the starts, and up to LONGEST transitions from
where the chains are, in warmup and after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer import HMC, MCMC

from backends._shared import trajectories
from backends.numpyro import models
from bench.types import Budget, Clock, Dataset, Fit, Place, Unsupported

LONGEST = 100
"""Transitions in one call at most, where chains are to go on."""
FIELDS = ("num_steps", "diverging", "energy", "accept_prob", "potential_energy")

Drawn = tuple[dict[str, jax.Array], dict[str, jax.Array]]


class Settings(Protocol):
    """What the options of both samplers have."""

    @property
    def aot(self) -> bool:
        """Whether one program is compiled ahead of time."""

    @property
    def chain_method(self) -> str:
        """How chains share the device."""

    @property
    def progress_bar(self) -> bool:
        """Whether NumPyro shows its progress."""


class Collected:
    """A kernel that adapts for its own `warmup` steps, so that `MCMC` with none of its own collects those as well."""

    warmup: int

    def init(self, rng_key: jax.Array, num_warmup: int, *args: Any, **kwargs: Any) -> Any:
        """The initial state, with adaptation scheduled for `warmup` steps."""
        return super().init(rng_key, self.warmup, *args, **kwargs)  # type: ignore[misc]


@dataclass
class Program:
    """The sampler, and its executable once `compile` has made it; `names` are the parameters to give back.

    `longest` is the number of steps at which a doubling trajectory is cut off.
    """

    names: tuple[str, ...]
    budget: Budget
    options: Settings
    place: Place
    run: Callable[..., Drawn]
    longest: int | None
    executable: Callable[..., Drawn] | None = field(default=None)
    start: Callable[..., Any] | None = None
    go_on: Callable[..., Any] | None = None


Parts = tuple[tuple[Drawn, int], ...]


class State(NamedTuple):
    """What was drawn, in `parts` of so many transitions each; the first `warmup` are no draws.

    `chains` is where these are, `args` the data where they lie.
    """

    program: Program
    parts: Parts
    warmup: int
    chains: Any = None
    args: tuple[jax.Array, ...] = ()


def build(
    kernel: Callable[[], HMC],
    data: Dataset,
    budget: Budget,
    options: Settings,
    place: Place,
    longest: int | None = None,
) -> Program:
    """Write the sampler as a function of key and data; Unsupported for chains that need more devices."""
    devices = len(jax.devices(place.device))
    if options.chain_method == "parallel" and (options.aot or devices < budget.chains):
        raise Unsupported(
            f"chain_method=parallel needs aot=false and a device per chain; found {devices} for {budget.chains} chains"
        )
    if options.progress_bar and options.aot:
        raise Unsupported("progress_bar=true needs aot=false: a program compiled ahead of time has none")
    if budget.until and not options.aot:
        raise Unsupported("until needs aot=true: MCMC.run compiles anew for every block of draws")
    sampler = _ahead if options.aot else _plain
    program = Program(data.names, budget, options, place, sampler(kernel, budget, options), longest)
    if budget.until:
        program.start, program.go_on = _in_blocks(kernel, budget, options)
    return program


def _ahead(kernel: Callable[[], HMC], budget: Budget, options: Settings) -> Callable[..., Drawn]:
    """One scan over warmup and draws per chain, from the kernel's public init and sample: one program, not two."""

    def chain(key: jax.Array, *args: jax.Array) -> Drawn:
        sampler = kernel()
        state = sampler.init(key, budget.warmup, None, args, {})

        def step(state: Any, _: None) -> tuple[Any, tuple[Any, dict[str, Any]]]:
            state = sampler.sample(state, args, {})
            return state, (state.z, {name: getattr(state, name) for name in FIELDS})

        _, (z, extra) = jax.lax.scan(step, state, None, length=budget.warmup + budget.draws)
        return jax.vmap(sampler.postprocess_fn(args, {}))(z), extra

    def run(key: jax.Array, *args: jax.Array) -> Drawn:
        keys = jax.random.split(key, budget.chains)
        if options.chain_method == "sequential":
            return jax.lax.map(lambda k: chain(k, *args), keys)
        return jax.vmap(lambda k: chain(k, *args))(keys)

    return run


def _in_blocks(kernel: Callable[[], HMC], budget: Budget, options: Settings) -> tuple[Callable[..., Any], ...]:
    """The states of all chains as a function of key and data; and more of their transitions, so many of LONGEST."""

    def over_chains(one: Callable[..., Any], along: Any) -> Any:
        return jax.lax.map(one, along) if options.chain_method == "sequential" else jax.vmap(one)(along)

    def start(key: jax.Array, *args: jax.Array) -> Any:
        keys = jax.random.split(key, budget.chains)
        return over_chains(lambda k: kernel().init(k, budget.warmup, None, args, {}), keys)

    def go_on(states: Any, count: jax.Array, *args: jax.Array) -> tuple[Any, Drawn]:
        def chain(state: Any) -> tuple[Any, Drawn]:
            sampler = kernel()
            sampler.init(state.rng_key, budget.warmup, None, args, {})  # sets it up; what it computes is dropped

            def step(i: jax.Array, carry: tuple[Any, Any]) -> tuple[Any, Any]:
                state = sampler.sample(carry[0], args, {})
                return state, jax.tree.map(lambda rows, row: rows.at[i].set(row), carry[1], kept(state))

            room = jax.tree.map(lambda x: jnp.zeros((LONGEST, *jnp.shape(x)), jnp.result_type(x)), kept(state))
            state, (z, extra) = jax.lax.fori_loop(0, count, step, (state, room))
            return state, (jax.vmap(sampler.postprocess_fn(args, {}))(z), extra)

        return over_chains(chain, states)  # type: ignore[no-any-return]

    def kept(state: Any) -> tuple[Any, dict[str, Any]]:
        return state.z, {name: getattr(state, name) for name in FIELDS}

    return start, go_on


def _plain(kernel: Callable[[], HMC], budget: Budget, options: Settings) -> Callable[..., Drawn]:
    """`MCMC.run`, which also collects the warmup to count its gradients."""

    def run(key: jax.Array, *args: jax.Array) -> Drawn:
        mcmc = MCMC(
            kernel(),
            num_warmup=0,
            num_samples=budget.warmup + budget.draws,
            num_chains=budget.chains,
            chain_method=options.chain_method,
            progress_bar=options.progress_bar,
        )
        mcmc.run(key, *args, extra_fields=FIELDS)
        return mcmc.get_samples(group_by_chain=True), mcmc.get_extra_fields(group_by_chain=True)

    return run


def compile(program: Program, data: Dataset) -> None:
    """Lower and compile for the shapes of `data`; nothing to do for the plain path."""
    args = models.to_arrays(data.arrays, data, program.place)
    if program.start is not None and program.go_on is not None:
        starting = jax.jit(program.start).lower(jax.random.key(0), *args)
        program.start = starting.compile()
        program.go_on = jax.jit(program.go_on).lower(starting.out_info, np.int32(0), *args).compile()
    elif program.options.aot:
        program.executable = jax.jit(program.run).lower(jax.random.key(0), *args).compile()


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Warm up and sample; ready arrays only."""
    with clock("transfer"):
        args = models.to_arrays(data.arrays, data, program.place)
        key = jax.random.key(seed)
        jax.block_until_ready((key, args))
    if program.start is not None:
        with clock("warmup"):
            chains, before = _transitions(program, program.start(key, *args), program.budget.warmup, args)
        return _more(program, chains, program.budget.draws, args, clock, before)
    run = program.executable if program.options.aot else program.run
    assert run is not None, "compile comes before fit"
    with clock("warmup+sample"):
        drawn = jax.block_until_ready(run(key, *args))
    return State(program, ((drawn, program.budget.warmup + program.budget.draws),), program.budget.warmup)


def resume(program: Program, data: Dataset, state: State, draws: int, clock: Clock) -> State:
    """So many further draws of all chains, from where `state` ended and tuned as it was; these alone."""
    return _more(program, state.chains, draws, state.args, clock, ())


def _more(program: Program, chains: Any, draws: int, args: Any, clock: Clock, before: Parts) -> State:
    """Draws after the transitions `before` of a warmup."""
    with clock("sample"):
        chains, parts = _transitions(program, chains, draws, args)
    return State(program, before + parts, sum(count for _, count in before), chains, args)


def _transitions(program: Program, chains: Any, count: int, args: Any) -> tuple[Any, Parts]:
    """The chains after so many transitions, and these; both ready."""
    assert program.go_on is not None, "compile comes before fit"
    parts = []
    while count:
        here = min(count, LONGEST)
        chains, drawn = program.go_on(chains, np.int32(here), *args)
        parts.append((drawn, here))
        count -= here
    return jax.block_until_ready(chains), tuple(jax.block_until_ready(parts))


def draw(state: State) -> Fit:
    """Draws (chain, draw, …), with gradient counts: useful ones, and those that lockstep chains executed."""
    program, warmup = state.program, state.warmup
    samples, extra = (
        {name: np.concatenate([np.asarray(d[i][name])[:, :n] for d, n in state.parts], axis=1) for name in names}
        for i, names in enumerate((program.names, FIELDS))
    )
    steps = np.asarray(extra["num_steps"], np.int64)
    longest = {} if program.longest is None else {"treedepth_hits": steps >= program.longest}
    stats = trajectories.statistics(
        steps,
        warmup,
        lockstep=program.options.chain_method == "vectorized",
        **{name: extra[name] for name in ("diverging", "energy", "accept_prob")},
        log_density=-extra["potential_energy"],
        **longest,
    )
    draws = {name: np.asarray(samples[name], np.float64)[:, warmup:] for name in program.names}
    return Fit("mcmc", draws, stats=stats)

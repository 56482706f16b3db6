"""Warmup and sampling of `numpyro.hmc` and `numpyro.nuts`: compiled ahead of time as one program that serves every rep.

`aot=false` calls `MCMC.run` as most users do, which compiles anew on every call. Counted are the gradients of all
trajectories, as NumPyro counts them, of which none is spent on a search for the first step size; the one or few of a
chain's start are not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import numpy as np
from numpyro.infer import HMC, MCMC

from backends._shared import trajectories
from backends.numpyro import models
from bench.types import Budget, Clock, Dataset, Fit, Place, Unsupported

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
    sampler = _ahead if options.aot else _plain
    return Program(data.names, budget, options, place, sampler(kernel, budget, options), longest)


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
    if program.options.aot:
        args = models.to_arrays(data.arrays, data, program.place)
        program.executable = jax.jit(program.run).lower(jax.random.key(0), *args).compile()


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> tuple[Program, Drawn]:
    """Warm up and sample; ready arrays only."""
    with clock("transfer"):
        args = models.to_arrays(data.arrays, data, program.place)
        key = jax.random.key(seed)
        jax.block_until_ready((key, args))
    run = program.executable if program.options.aot else program.run
    assert run is not None, "compile comes before fit"
    with clock("warmup+sample"):
        drawn = jax.block_until_ready(run(key, *args))
    return program, drawn


def draw(state: tuple[Program, Drawn]) -> Fit:
    """Draws (chain, draw, …), with gradient counts: useful ones, and those that lockstep chains executed."""
    program, (samples, extra) = state
    warmup, steps = program.budget.warmup, np.asarray(extra["num_steps"], np.int64)
    longest = {} if program.longest is None else {"treedepth_hits": steps >= program.longest}
    stats = trajectories.statistics(
        steps,
        warmup,
        lockstep=program.options.chain_method == "vectorized",
        **{name: extra[name] for name in ("diverging", "energy", "accept_prob")},
        log_density=-np.asarray(extra["potential_energy"]),  # on the host: JAX would compile it
        **longest,
    )
    draws = {name: np.asarray(samples[name], np.float64)[:, warmup:] for name in program.names}
    return Fit("mcmc", draws, stats=stats)

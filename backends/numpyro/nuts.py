"""NUTS of NumPyro, compiled ahead of time as one program of warmup and sampling that serves every rep.

`aot=false` calls `MCMC.run` as most users do, which compiles anew on every call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import numpy as np
from numpyro.infer import MCMC, NUTS

from backends.numpyro import models
from bench.types import Budget, Clock, Dataset, Fit, Place, Unsupported, option

KIND = "mcmc"
DEVICES = ("cpu", "cuda")
DEFAULTS = {"aot": False, "chain_method": "sequential", "progress_bar": True}
"""What `MCMC` does by default where there is one device, for which it turns "parallel" into "sequential"."""
FIELDS = ("num_steps", "diverging", "energy", "accept_prob", "potential_energy")

Drawn = tuple[dict[str, jax.Array], dict[str, jax.Array]]


@dataclass(frozen=True)
class Options:
    """How the sampler is run, compiled and tuned; the metric is diagonal, inits are U(−2, 2) unconstrained."""

    aot: bool = option(True, "compile once, ahead of time; false: plain MCMC.run, compiled on every call")
    chain_method: Literal["vectorized", "parallel", "sequential"] = option("vectorized", "how chains share the device")
    target_accept: float = option(0.8, "target acceptance probability of step-size adaptation")
    max_tree_depth: int = option(10, "doublings of a trajectory at most")
    dense_mass: bool = option(False, "adapt a dense metric instead of a diagonal one")
    progress_bar: bool = option(False, "show NumPyro's progress bar, which needs aot=false and costs a little")


class Collected(NUTS):
    """NUTS that adapts for its own `warmup` steps, so that `MCMC` with none of its own collects those as well."""

    def __init__(self, model: models.Model, warmup: int, **settings: Any) -> None:
        super().__init__(model, **settings)
        self.warmup = warmup

    def init(self, rng_key: jax.Array, num_warmup: int, *args: Any, **kwargs: Any) -> Any:
        """The initial state, with adaptation scheduled for `warmup` steps."""
        return super().init(rng_key, self.warmup, *args, **kwargs)


@dataclass
class Program:
    """The sampler, and its executable once `compile` has made it; `names` are the parameters to give back."""

    names: tuple[str, ...]
    budget: Budget
    options: Options
    place: Place
    run: Callable[..., Drawn]
    executable: Callable[..., Drawn] | None = field(default=None)


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Write the sampler as a function of key and data; Unsupported for chains that need more devices."""
    devices = len(jax.devices(place.device))
    if options.chain_method == "parallel" and (options.aot or devices < budget.chains):
        raise Unsupported(
            f"chain_method=parallel needs aot=false and a device per chain; found {devices} for {budget.chains} chains"
        )
    if options.progress_bar and options.aot:
        raise Unsupported("progress_bar=true needs aot=false: a program compiled ahead of time has none")
    model = models.model(data)

    def kernel() -> NUTS:
        return Collected(
            model,
            budget.warmup,
            target_accept_prob=options.target_accept,
            max_tree_depth=options.max_tree_depth,
            dense_mass=options.dense_mass,
        )

    sampler = _ahead if options.aot else _plain
    return Program(data.names, budget, options, place, sampler(kernel, budget, options))


def _ahead(kernel: Callable[[], NUTS], budget: Budget, options: Options) -> Callable[..., Drawn]:
    """One scan over warmup and draws per chain, from the kernel's public init and sample: one program, not two."""

    def chain(key: jax.Array, *args: jax.Array) -> Drawn:
        nuts = kernel()
        state = nuts.init(key, budget.warmup, None, args, {})

        def step(state: Any, _: None) -> tuple[Any, tuple[Any, dict[str, Any]]]:
            state = nuts.sample(state, args, {})
            return state, (state.z, {name: getattr(state, name) for name in FIELDS})

        _, (z, extra) = jax.lax.scan(step, state, None, length=budget.warmup + budget.draws)
        return jax.vmap(nuts.postprocess_fn(args, {}))(z), extra

    def run(key: jax.Array, *args: jax.Array) -> Drawn:
        keys = jax.random.split(key, budget.chains)
        if options.chain_method == "sequential":
            return jax.lax.map(lambda k: chain(k, *args), keys)
        return jax.vmap(lambda k: chain(k, *args))(keys)

    return run


def _plain(kernel: Callable[[], NUTS], budget: Budget, options: Options) -> Callable[..., Drawn]:
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
    warmup = program.budget.warmup
    steps = np.asarray(extra["num_steps"], np.int64)
    lockstep = program.options.chain_method == "vectorized"
    executed = np.repeat(steps.max(0, keepdims=True), len(steps), axis=0) if lockstep else steps
    stats = {
        "gradients": int(steps.sum()),
        "gradients_warmup": int(steps[:, :warmup].sum()),
        "gradients_executed": int(executed.sum()),
        "gradients_executed_warmup": int(executed[:, :warmup].sum()),
        "treedepth_hits": int((steps[:, warmup:] >= 2**program.options.max_tree_depth - 1).sum()),
        "num_steps": steps[:, warmup:],
        "num_steps_executed": executed[:, warmup:],
        "diverging": np.asarray(extra["diverging"])[:, warmup:],
        "energy": np.asarray(extra["energy"], np.float64)[:, warmup:],
        "accept_prob": np.asarray(extra["accept_prob"], np.float64)[:, warmup:],
        "log_density": -np.asarray(extra["potential_energy"], np.float64)[:, warmup:],
    }
    draws = {name: np.asarray(samples[name], np.float64)[:, warmup:] for name in program.names}
    return Fit("mcmc", draws, stats=stats)

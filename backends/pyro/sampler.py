"""Warmup and sampling of `pyro.hmc` and `pyro.nuts` through `MCMC`, one chain after the other in this process.

That is what `MCMC(num_chains=…)` itself does where a machine has no more CPUs than chains. Its other way, a process per
chain, takes as many CPUs as there are chains, where every contender gets the same few. The density is made once per
data set and serves all chains; with `jit_compile` it is traced on those data, which is booked as compile. Pyro reports
neither gradients nor energies: gradients are counted where the density is called, so that starts, searches for a step
size and rejected trajectories are among them; energies are missing.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyro
import torch
from pyro.infer import HMC, MCMC
from pyro.infer.autoguide import init_to_value
from pyro.infer.mcmc.util import initialize_model
from pyro.ops.integrator import potential_grad
from torch import Tensor

from backends._shared import sites, trajectories
from backends._shared.pytorch import to_tensors
from backends.pyro import models
from bench.data import family
from bench.types import Arrays, Budget, Clock, Dataset, Diverged, Fit, Place

ATTEMPTS = 100
"""Starts tried per chain until density and gradient are finite."""
TRACED_CALLS = 3
"""Calls in which torch's executor optimises what was traced, backward included."""

Sites = dict[str, Tensor]
Transforms = Mapping[str, Any]


class Settings(Protocol):
    """What the options of both samplers have."""

    @property
    def jit_compile(self) -> bool:
        """Whether the density is traced once per data set."""

    @property
    def progress_bar(self) -> bool:
        """Whether Pyro shows its progress."""


class Program(NamedTuple):
    """The model, how a kernel is made of a potential energy, and what `fit` needs beside the data.

    `longest` is the number of steps at which a doubling trajectory is cut off.
    """

    model: models.Model
    kernel: Callable[[Potential], HMC]
    budget: Budget
    options: Settings
    place: Place
    longest: int | None


class Potential:
    """Pyro's potential energy; `gradients` counts the calls whose gradient is taken."""

    def __init__(self, energy: Callable[[Mapping[str, Tensor]], Tensor]) -> None:
        self.energy, self.gradients = energy, 0

    def __call__(self, params: Mapping[str, Tensor]) -> Tensor:
        """Minus the log density at unconstrained sites."""
        self.gradients += any(x.requires_grad for x in params.values())
        return self.energy(params)


@dataclass
class Chain:
    """A chain, where it is on the unconstrained scale, and what its transitions have left, the warmup's first.

    `before` are the gradients of all chains before these transitions, `made` the draws of this one.
    """

    kernel: HMC
    at: Sites
    before: int
    made: int = 0
    gradients: list[int] = field(default_factory=list)
    energies: list[Tensor] = field(default_factory=list)
    sites: list[Sites] = field(default_factory=list)

    def moved(self, at: Sites, gradients: int) -> None:
        """Keep what a transition has left, with the gradients of all chains so far."""
        self.at = at
        self.gradients.append(gradients)
        self.energies.append(self.kernel._potential_energy_last)
        self.sites.append(at)


class State(NamedTuple):
    """All chains; the first `warmup` of their transitions are no draws."""

    program: Program
    data: Dataset
    potential: Potential
    transforms: Transforms
    chains: list[Chain]
    warmup: int


def build(
    kernel: Callable[[Potential], HMC],
    data: Dataset,
    budget: Budget,
    options: Settings,
    place: Place,
    longest: int | None = None,
) -> Program:
    """Make the model."""
    pyro.enable_validation(False)
    return Program(models.model(data, place), kernel, budget, options, place, longest)


def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Warm up and sample, chain after chain; Diverged where a chain finds no start."""
    pyro.clear_param_store()
    pyro.set_rng_seed(seed)
    rng = np.random.default_rng(seed)
    with clock("transfer"):
        args = models.to_tensors(data.arrays, data, program.place)
    with clock("warmup"):
        potential, transforms = _density(program, data, args)
    if program.options.jit_compile:
        with clock("compile"):
            _trace(potential, _uniform(program, data, rng))
    chains = []
    for _ in range(program.budget.chains):
        with clock("warmup"):
            before = potential.gradients
            start = _start(program, data, potential, rng)
        chains.append(_chain(program, potential, transforms, start, clock, before))
    return State(program, data, potential, transforms, chains, program.budget.warmup)


def resume(program: Program, data: Dataset, state: State, draws: int, clock: Clock) -> State:
    """So many further draws of all chains, from where `state` ended and tuned as it was; these alone."""
    potential, chains = state.potential, []
    with clock("sample"):
        for old in state.chains:
            made = old.made + len(old.sites) - state.warmup
            chains.append(chain := Chain(old.kernel, old.at, potential.gradients, made))
            for _ in range(draws):
                chain.moved(chain.kernel.sample(chain.at), potential.gradients)
    return state._replace(chains=chains, warmup=0)


def _density(program: Program, data: Dataset, args: tuple[Tensor, ...]) -> tuple[Potential, Transforms]:
    """Pyro's potential energy on these data, and its maps from each site's support to the real line."""
    fam, z = family(data.family), np.zeros(data.dim)
    middle = to_tensors(fam.to_sites(data, fam.constrain(data, z)), program.place)
    _, energy, transforms, _ = initialize_model(
        program.model,
        args,
        max_plate_nesting=1,
        jit_compile=program.options.jit_compile,
        skip_jit_warnings=True,
        init_strategy=init_to_value(values=middle),  # an improper prior has nothing else to be traced with
        initial_params=to_tensors(sites.split(data, z), program.place),
    )
    return Potential(energy), transforms


def _trace(potential: Potential, at: Sites) -> None:
    """Let torch trace and optimise the density; these gradients are part of compiling."""
    with warnings.catch_warnings():  # Pyro 1.9 knows no other compiler than the one torch now calls deprecated
        warnings.filterwarnings("ignore", "`torch.jit.trace", DeprecationWarning)
        for _ in range(TRACED_CALLS):
            potential_grad(potential, at)
    potential.gradients = 0


def _start(program: Program, data: Dataset, potential: Potential, rng: np.random.Generator) -> Sites:
    """U(−2, 2) in every unconstrained coordinate, drawn anew where density or gradient is not finite."""
    for _ in range(ATTEMPTS):
        start = _uniform(program, data, rng)
        slopes, energy = potential_grad(potential, start)
        if torch.isfinite(energy) and all(torch.isfinite(x).all() for x in slopes.values()):
            return start
    raise Diverged(f"no start in U(−2, 2) with a finite log density in {ATTEMPTS} attempts")


def _uniform(program: Program, data: Dataset, rng: np.random.Generator) -> Sites:
    return to_tensors(sites.split(data, rng.uniform(-2, 2, data.dim)), program.place)


def _chain(
    program: Program, potential: Potential, transforms: Transforms, start: Sites, clock: Clock, before: int
) -> Chain:
    """One chain from its start, by `MCMC`, whose hook says when the warmup ends; `before` its start was sought."""
    budget = program.budget
    kernel = program.kernel(potential)
    kernel.cleanup = lambda: None  # MCMC would have it forget where the chain is
    chain = Chain(kernel, start, before)
    with ExitStack() as phase:

        def hook(_: HMC, params: Sites, stage: str, i: int) -> None:
            chain.moved(params, potential.gradients)
            if stage == "Warmup" and i == budget.warmup - 1:
                phase.close()
                phase.enter_context(clock("sample"))

        mcmc = MCMC(
            kernel,
            num_samples=budget.draws,
            warmup_steps=budget.warmup,
            initial_params=start,
            transforms=transforms,
            hook_fn=hook,
            disable_progbar=not program.options.progress_bar,
        )
        phase.enter_context(clock("warmup" if budget.warmup else "sample"))
        mcmc.run()
    return chain


def draw(state: State) -> Fit:
    """Draws (chain, draw, …), with the gradients of each."""
    chains, warmup = state.chains, state.warmup
    steps = np.stack([np.diff([chain.before, *chain.gradients]) for chain in chains])
    columns = {"diverging": np.zeros(steps.shape, bool)}
    for row, chain in zip(columns["diverging"], chains, strict=True):
        row[[warmup + i - chain.made for i in chain.kernel.diagnostics()["divergences"] if i >= chain.made]] = True
    energies = torch.stack([torch.stack(chain.energies) for chain in chains])
    columns["log_density"] = -energies.double().cpu().numpy()
    if (longest := state.program.longest) is not None:
        columns["treedepth_hits"] = steps >= longest
    stats = trajectories.statistics(steps, warmup, **columns)
    stats["step_size"] = float(np.mean([chain.kernel.step_size for chain in chains]))
    draws = family(state.data.family).from_sites(state.data, _natural(state))
    return Fit("mcmc", {name: draws[name] for name in state.data.names}, stats=stats)


def _natural(state: State) -> Arrays:
    """Sites on their natural scale, {name: (chain, draw, *shape)}."""
    found = {}
    for name in state.chains[0].at:
        z = torch.stack([torch.stack([at[name] for at in chain.sites[state.warmup :]]) for chain in state.chains])
        natural = state.transforms[name].inv(z) if name in state.transforms else z
        found[name] = natural.double().cpu().numpy()
    return found

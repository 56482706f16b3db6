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
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyro
import torch
from pyro.infer import HMC, MCMC
from pyro.infer.autoguide import init_to_value
from pyro.infer.mcmc.util import initialize_model
from pyro.ops.integrator import potential_grad
from torch import Tensor

from backends._shared import sites
from backends._shared.pytorch import to_tensors
from backends.pyro import models
from bench.data import family
from bench.types import Array, Arrays, Budget, Clock, Dataset, Diverged, Fit, Place

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


class Chain(NamedTuple):
    """One chain: its sites on their natural scale (draw, *shape), its gradients, and how it sampled."""

    sites: Arrays
    warmup: int  # gradients before the first draw
    steps: Array  # gradients of each draw
    log_density: Array  # of each draw, as the kernel keeps it
    divergences: list[int]
    step_size: float


class State(NamedTuple):
    """All chains."""

    data: Dataset
    longest: int | None
    chains: list[Chain]


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
    return State(data, program.longest, chains)


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
    budget, options = program.budget, program.options
    kernel = program.kernel(potential)
    counts, divergences, energies = list[int](), list[int](), list[Tensor]()

    with ExitStack() as phase:

        def hook(kernel: HMC, params: Sites, stage: str, i: int) -> None:
            counts.append(potential.gradients)
            energies.append(kernel._potential_energy_last)
            if stage == "Warmup" and i == budget.warmup - 1:
                phase.close()
                phase.enter_context(clock("sample"))
            if stage == "Sample" and i == budget.draws - 1:
                divergences.extend(kernel.diagnostics()["divergences"])

        mcmc = MCMC(
            kernel,
            num_samples=budget.draws,
            warmup_steps=budget.warmup,
            initial_params=start,
            transforms=transforms,
            hook_fn=hook,
            disable_progbar=not options.progress_bar,
        )
        phase.enter_context(clock("warmup" if budget.warmup else "sample"))
        mcmc.run()
    natural = {name: x.double().cpu().numpy() for name, x in mcmc.get_samples().items()}
    steps = np.diff([before, *counts])
    warmup = int(steps[: budget.warmup].sum())
    log_density = -torch.stack(energies[budget.warmup :]).double().cpu().numpy()
    return Chain(natural, warmup, steps[budget.warmup :], log_density, divergences, float(kernel.step_size))


def draw(state: State) -> Fit:
    """Draws (chain, draw, …), with the gradients of each."""
    chains = state.chains
    steps = np.stack([chain.steps for chain in chains])
    warmup = sum(chain.warmup for chain in chains)
    diverging = np.zeros(steps.shape, bool)
    for row, chain in zip(diverging, chains, strict=True):
        row[chain.divergences] = True
    stats: dict[str, Any] = {
        "gradients": warmup + int(steps.sum()),
        "gradients_warmup": warmup,
        "gradients_executed": warmup + int(steps.sum()),
        "num_steps": steps,
        "diverging": diverging,
        "log_density": np.stack([chain.log_density for chain in chains]),
        "step_size": float(np.mean([chain.step_size for chain in chains])),
    }
    if state.longest is not None:
        stats["treedepth_hits"] = int((steps >= state.longest).sum())
    natural = {name: np.stack([chain.sites[name] for chain in chains]) for name in chains[0].sites}
    draws = family(state.data.family).from_sites(state.data, natural)
    return Fit("mcmc", {name: draws[name] for name in state.data.names}, stats=stats)

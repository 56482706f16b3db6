"""Warmup and sampling of `torch.hmc`, `torch.nuts` and `torch.chees`: chains as one batch, tuned, then held fixed.

The first two tune each chain by itself, by `warm_up`; others bring a warmup of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from backends.torch import adaptation, compiled, models
from backends.torch.adaptation import DualAveraging
from backends.torch.hamiltonian import Jump, Point, Target, Transition, Tuning, starts
from bench.data import family
from bench.types import Array, Budget, Clock, Dataset, Fit, Place

Move = Callable[[Target, Point, Any, torch.Generator], Jump | Transition]
"""One transition of all chains from their current points, with what the warmup tuned."""
Warmup = Callable[["Program", Target, Point, torch.Generator], tuple[Point, Any, int]]
"""Points of all chains, what was tuned, and gradients spent, after the budget's warmup."""


class Program(NamedTuple):
    """What `fit` needs beside the data; `longest` is the number of steps at which a trajectory is cut off."""

    budget: Budget
    place: Place
    target_accept: float
    move: Move
    longest: int
    gradient: models.Choice = "auto"
    warm_up: Warmup | None = None
    """That of each chain by itself, where there is none."""
    ensemble: int = 0
    """Chains that warm up where they are more than the budget's, which are the first of them."""
    reduce: Callable[[Dataset, models.Tensors], dict[str, Tensor]] | None = None
    """Makes of the data what stands for them; timed as warmup."""
    notes: tuple[str, ...] = ()
    superchains: int = 0
    """Starts, one after another for the chains; 0: as many as chains."""
    step: compiled.Step | None = None
    """What is compiled, if anything is."""


class Chains(NamedTuple):
    """All chains where they are, with what moves them."""

    target: Target
    point: Point
    tuning: Any
    generator: torch.Generator


class State(NamedTuple):
    """Draws (draw, chain, dim) on the unconstrained scale, statistics of the sampler, and where the chains are."""

    data: Dataset
    z: Array
    stats: dict[str, Any]
    notes: tuple[str, ...]
    chains: Chains


@torch.no_grad()
def compile(program: Program, data: Dataset) -> None:
    """Compile for these shapes and both numbers of chains, where the program is to be compiled at all."""
    if program.step is not None:
        arrays = models.to_tensors(data.arrays, program.place)
        arrays = program.reduce(data, arrays) if program.reduce else arrays
        program.step.compile(arrays, data.dim, {program.budget.chains, program.ensemble})


@torch.no_grad()
def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Tune, then sample with everything held fixed; Diverged where no start can be found."""
    with program.step.frozen() if program.step is not None else nullcontext():
        return _fit(program, data, seed, clock)


def _fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    budget, place = program.budget, program.place
    with clock("transfer"):
        arrays = models.to_tensors(data.arrays, place)
        like = models.to_tensors({"z": np.zeros(())}, place)["z"]
    generator = torch.Generator(place.device).manual_seed(seed)
    with clock("warmup"):
        arrays = program.reduce(data, arrays) if program.reduce else arrays
        if program.step is not None:
            target = program.step.target(arrays)
        else:
            target = Target(models.value_and_slope(data, arrays, program.gradient))
        point, needed = begin(program, target, data.dim, like, seed)
        point, tuning, steps = (program.warm_up or warm_up)(program, target, point, generator)
        point = Point(*(x[: budget.chains] for x in point))
    return _sample(program, data, Chains(target, point, tuning, generator), budget.draws, clock, needed + steps)


@torch.no_grad()
def resume(program: Program, data: Dataset, state: State, draws: int, clock: Clock) -> State:
    """So many further draws of all chains, from where `state` ended and tuned as it was; these alone."""
    state.chains.target.executed = 0
    with program.step.frozen() if program.step is not None else nullcontext():
        return _sample(program, data, state.chains, draws, clock, 0)


def _sample(program: Program, data: Dataset, chains: Chains, draws: int, clock: Clock, warmup: int) -> State:
    """Draws with everything held fixed, after so many gradients of a warmup."""
    target, point, tuning, generator = chains
    transitions = list[Any]()
    with clock("sample"):
        for _ in range(draws):
            transitions.append(program.move(target, point, tuning, generator))
            point = transitions[-1].point
        z = torch.stack([one.point.z for one in transitions])
    stats = _stats(program, transitions) | tuning.stats() | {"gradients_executed": target.executed}
    stats |= {"gradients_warmup": warmup, "gradients": warmup + int(stats["num_steps"].sum())}
    return State(data, z.double().cpu().numpy(), stats, program.notes, chains._replace(point=point))


def begin(program: Program, target: Target, dim: int, like: Tensor, seed: int) -> tuple[Point, int]:
    """The points at which all chains begin, and the gradients spent on finding them."""
    chains = max(program.ensemble, program.budget.chains)
    point, needed = starts(target, program.superchains or chains, dim, like, seed)
    if program.superchains:
        point = Point(*(x[torch.arange(chains, device=x.device) % program.superchains] for x in point))
    return point, needed


def warm_up(program: Program, target: Target, point: Point, generator: torch.Generator) -> tuple[Point, Tuning, int]:
    """Adapt step size and metric of each chain; the last value returned is the number of gradients spent on it."""
    one = torch.ones_like(point.value)
    step, needed = adaptation.reasonable(target, point, one, torch.ones_like(point.z), generator)
    tuning, averaging = Tuning(step, torch.ones_like(point.z), False), DualAveraging(program.target_accept, step.log())
    edges, window = adaptation.windows(program.budget.warmup), list[Tensor]()
    steps = torch.zeros_like(step, dtype=torch.int64)
    for done in range(1, program.budget.warmup + 1):
        transition = program.move(target, point, tuning, generator)
        point, steps = transition.point, steps + transition.steps
        tuning = tuning._replace(step=averaging.update(transition.accept).exp())
        if edges and edges[0] < done <= edges[-1]:
            window.append(point.z)
        if done in edges[1:]:
            scale, window = adaptation.variance(window).sqrt(), []
            step, more = adaptation.reasonable(target, point, tuning.step, scale, generator)
            averaging.restart(step.log())
            tuning, needed = Tuning(step, scale, True), needed + more
    return point, tuning._replace(step=averaging.settled().exp()), needed + int(steps.sum())


def _stats(program: Program, transitions: list[Any]) -> dict[str, Any]:
    """Statistics per draw, (chain, draw), of transitions of one kind."""
    found = type(transitions[0])(*map(_stacked, zip(*transitions, strict=True)))
    steps = _per_draw(found.steps)
    stats: dict[str, Any] = {
        "num_steps": steps,
        "num_steps_executed": np.repeat(steps.max(0, keepdims=True), len(steps), axis=0),
        "diverging": _per_draw(found.diverging),
        "energy": _per_draw(found.energy).astype(np.float64),
        "accept_prob": _per_draw(found.accept).astype(np.float64),
        "log_density": _per_draw(torch.stack([one.point.value for one in transitions])).astype(np.float64),
    }
    if program.superchains and len(steps) % program.superchains == 0 and len(steps) >= 2 * program.superchains:
        stats["superchains"] = program.superchains
    if found.depth is not None:
        stats |= {"tree_depth": _per_draw(found.depth), "treedepth_hits": int((steps >= program.longest).sum())}
    return stats


def _stacked(field: tuple[Any, ...]) -> Any:
    """A field of all transitions that is (chain,), as (draw, chain)."""
    return torch.stack(field) if isinstance(field[0], Tensor) else None


def _per_draw(values: Tensor) -> Any:
    return np.ascontiguousarray(values.mT.cpu().numpy())


def draw(state: State) -> Fit:
    """Draws (chain, draw, …) on their natural scale."""
    z = np.ascontiguousarray(np.swapaxes(state.z, 0, 1))
    return Fit("mcmc", dict(family(state.data.family).constrain(state.data, z)), stats=state.stats, notes=state.notes)

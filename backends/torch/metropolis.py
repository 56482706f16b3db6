"""Random-walk Metropolis, all chains as one batch, tuned in warmup only.

One step costs one log density per chain, in a few dozen small tensor operations whatever the number of chains and
parameters; random numbers are drawn a hundred steps at a time. The step size follows a ladder of acceptance rates every
hundred steps, and the shape of the proposal is learned from the warmup draws (Haario et al. 2001) or left isotropic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from backends._shared import point, sites
from backends.torch import models
from bench.data import family
from bench.types import Array, Budget, Clock, Dataset, Diverged, Fit, Place, Unsupported, option

KIND = "mcmc"
DEVICES = ("cpu", "cuda")
TUNE = 100
"""Steps between two looks at the acceptance rate, and per block of random numbers."""
EDGES = (0.001, 0.05, 0.2, 0.5, 0.75, 0.95)
FACTORS = (0.1, 0.5, 0.9, 1.0, 1.1, 2.0, 10.0)
"""The ladder: what a step size is multiplied by, for an acceptance rate between two edges."""


@dataclass(frozen=True)
class Options:
    """Space and shape of the proposal, and thinning."""

    thin: int = option(1, "keep every thin-th of the budget's draws")
    space: Literal["natural", "unconstrained"] = option(
        "natural", "where it walks; natural: density −∞ outside the support"
    )
    proposal: Literal["isotropic", "covariance"] = option(
        "covariance", "its shape; covariance: that of the warmup draws"
    )


class Program(NamedTuple):
    """What `fit` needs beside the data."""

    budget: Budget
    options: Options
    place: Place


@dataclass
class Walk:
    """Positions (chain, dim) with their log densities, and the proposal: scale (chain, 1) times a factor (dim, dim)."""

    at: Tensor
    value: Tensor
    scale: Tensor
    factor: Tensor
    density: Callable[[Tensor], Tensor]
    generator: torch.Generator
    values: list[Tensor] = field(default_factory=list)
    """Log densities (chain,) at the positions written so far."""

    def run(self, steps: int, thin: int, out: Tensor) -> Tensor:
        """Walk `steps` ≤ 100 steps, write every thin-th position to `out`; accepted moves per chain."""
        size = (steps, *self.at.shape)
        moves = torch.randn(size, generator=self.generator, dtype=self.at.dtype, device=self.at.device)
        moves = (moves @ self.factor.mT) * self.scale
        log_u = torch.rand(size[:2], generator=self.generator, dtype=self.at.dtype, device=self.at.device).log()
        accepted = torch.zeros_like(self.value)
        for i, (move, threshold) in enumerate(zip(moves, log_u, strict=True), start=1):
            proposal = self.at + move
            value = self.density(proposal)
            accept = threshold < value - self.value  # False where the density is NaN, as it may be outside the support
            self.at = torch.where(accept.unsqueeze(-1), proposal, self.at)
            self.value = torch.where(accept, value, self.value)
            accepted += accept
            if i % thin == 0:
                out[i // thin - 1] = self.at
                self.values.append(self.value)
        return accepted


class State(NamedTuple):
    """Kept draws (kept, chain, dim) in the space of the walk, their log densities (kept, chain), statistics, walk."""

    data: Dataset
    options: Options
    draws: Array
    values: Array
    stats: dict[str, Any]
    walk: Walk


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> Program:
    """Nothing to compile; Unsupported when thinning leaves no draw."""
    if not 1 <= options.thin <= budget.draws:
        raise Unsupported(f"thin={options.thin} keeps none of {budget.draws} draws; it must be 1 to {budget.draws}")
    return Program(budget, options, place)


@torch.inference_mode()
def fit(program: Program, data: Dataset, seed: int, clock: Clock) -> State:
    """Tune, then walk with everything held fixed."""
    budget, options, place = program
    first_at = _starts(data, budget.chains, options, seed)
    with clock("transfer"):
        arrays = models.to_tensors(data.arrays, place)
        at = models.to_tensors({"at": first_at}, place)["at"]
    with clock("warmup"):
        walk = _begin(data, arrays, at, options, seed)
        history = walk.at.new_empty(budget.warmup, *walk.at.shape)
        for first, last in _blocks(budget.warmup, TUNE):
            accepted = walk.run(last - first, 1, history[first:last])
            _tune(walk, accepted / (last - first))
            if options.proposal == "covariance" and any(first < at <= last for at in _learning(budget.warmup)):
                _shape(walk, history[last // 2 : last])
    return _walk(program, data, walk, budget.draws, clock, budget.chains * budget.warmup)


@torch.inference_mode()
def resume(program: Program, data: Dataset, state: State, draws: int, clock: Clock) -> State:
    """So many further draws of all chains, from where `state` ended and tuned as it was; these alone."""
    return _walk(program, data, state.walk, max(draws, program.options.thin), clock, 0)


def _walk(program: Program, data: Dataset, walk: Walk, draws: int, clock: Clock, warmup: int) -> State:
    """Draws with everything held fixed, after so many steps of all chains together in a warmup."""
    options = program.options
    block = max(options.thin, TUNE - TUNE % options.thin)
    with clock("sample"):
        walk.values.clear()
        kept = walk.at.new_empty(draws // options.thin, *walk.at.shape)
        total = torch.zeros_like(walk.value)
        for first, last in _blocks(len(kept) * options.thin, block):
            total += walk.run(last - first, options.thin, kept[first // options.thin : last // options.thin])
    at, values = kept.double().cpu().numpy(), torch.stack(walk.values).double().cpu().numpy()
    stats = _stats(walk, program, total / (len(kept) * options.thin), warmup, draws)
    return State(data, options, at, values, stats, walk)


def _starts(data: Dataset, chains: int, options: Options, seed: int) -> Array:
    """A start per chain (chain, dim), drawn as for point methods: far out in a wide prior nothing points back."""
    seeds = np.random.SeedSequence(seed).generate_state(chains)
    starts = [point.start(replace(data, start={}), int(s)) for s in seeds]
    stacked = {p.name: np.stack([start[p.name] for start in starts]) for p in data.sites}
    if options.space == "unconstrained":
        fam = family(data.family)
        return fam.unconstrain(data, fam.from_sites(data, stacked))
    return np.concatenate([stacked[p.name].reshape(chains, p.size) for p in data.sites], axis=1)


def _begin(data: Dataset, arrays: models.Tensors, at: Tensor, options: Options, seed: int) -> Walk:
    """Chains at `at` (chain, dim) in the space of the walk; Diverged where the density is not finite there."""

    natural = options.space == "natural"
    density = models.natural_density(data, arrays) if natural else partial(models.unconstrained, data, arrays)
    value = density(at)
    if not torch.isfinite(value).all():
        raise Diverged(f"the log density at the start of the chains is {value.min().item():g}")
    generator = torch.Generator(at.device).manual_seed(seed)
    identity = torch.eye(data.dim, dtype=at.dtype, device=at.device)
    return Walk(at, value, at.new_ones(len(at), 1), identity, density, generator)


def _blocks(steps: int, size: int) -> Iterator[tuple[int, int]]:
    return ((first, min(first + size, steps)) for first in range(0, steps, size))


def _learning(warmup: int) -> tuple[int, int, int]:
    """Warmup steps after which the shape of the proposal is learned anew; the rest of the warmup tunes its scale."""
    return warmup // 4, warmup // 2, 3 * warmup // 4


def _tune(walk: Walk, rate: Tensor) -> None:
    """Move each chain's scale one rung."""
    edges, factors = walk.scale.new_tensor(EDGES), walk.scale.new_tensor(FACTORS)
    walk.scale = walk.scale * factors[torch.bucketize(rate, edges)].unsqueeze(-1)


def _shape(walk: Walk, recent: Tensor) -> None:
    """Propose with the covariance of recent draws, pooled over chains about their own means, at 2.38/√dim of it."""
    centred = (recent - recent.mean(0)).reshape(-1, recent.shape[-1])
    covariance = centred.mT @ centred / len(centred)
    jitter = 1e-6 * torch.diag(covariance.diagonal() + covariance.diagonal().mean())  # chains may not have moved yet
    factor, failed = torch.linalg.cholesky_ex(covariance + jitter)
    if not failed.item():
        walk.factor = factor
        walk.scale = torch.full_like(walk.scale, 2.38 / np.sqrt(recent.shape[-1]))


def _stats(walk: Walk, program: Program, rate: Tensor, warmup: int, draws: int) -> dict[str, Any]:
    """Each step is one density per chain, counted as one gradient though it costs less."""
    steps = warmup + program.budget.chains * draws
    return {
        "gradients": steps,
        "gradients_warmup": warmup,
        "gradients_executed": steps,
        "thinning": program.options.thin,
        "accept_rate": float(rate.mean()),
        "step_size": float(walk.scale.mean()),
    }


def draw(state: State) -> Fit:
    """Kept draws, (chain, draw, …)."""
    fam, at, log_density = family(state.data.family), np.swapaxes(state.draws, 0, 1), state.values.T
    if state.options.space == "unconstrained":
        draws = fam.constrain(state.data, at)
    else:
        draws = fam.from_sites(state.data, sites.split(state.data, at))
        log_density = log_density + _log_jacobian(state.data, fam.unconstrain(state.data, draws))
    stats = state.stats | {"log_density": np.ascontiguousarray(log_density)}
    notes = ("no gradient is taken: a log density evaluation is counted as one",)
    return Fit("mcmc", dict(draws), stats=stats, notes=notes)


def _log_jacobian(data: Dataset, z: Array) -> Array:
    """What the density of the parameters lacks to be that of z (…, dim), where all backends state theirs."""
    return models.constrain(data, torch.tensor(z, dtype=torch.float64))[1].numpy()

"""ChEES-HMC by hand: many chains as one batch, tuned together, without a tree (Hoffman, Radul & Sountsov 2021).

An ensemble warms up; the budget's chains are the first of it, and they alone go on. All chains take the same number of
leapfrog steps, a quasi-random share (Halton) of the trajectory length, so that none waits for another. As in the paper,
the step size is tuned by dual averaging on the harmonic mean of acceptance probabilities, the length by Adam along the
gradient of the change in the estimator of the expected square. Not in the paper: the metric is the variance of the
ensemble in windows that double up to four fifths of the warmup, each restarts the length, and Adam's rate falls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from backends.torch import sampler
from backends.torch.adaptation import DualAveraging
from backends.torch.hamiltonian import LARGEST_ERROR, Point, Target, Transition, normal
from backends.torch.sampler import draw, fit
from bench.types import Budget, Dataset, Place, Unsupported, option

__all__ = ["DEFAULTS", "DEVICES", "KIND", "Options", "build", "draw", "fit"]

KIND = "mcmc"
DEVICES = ("cpu", "cuda")
DEFAULTS = {"target_accept": 0.651, "metric": "identity"}
"""Those of the paper."""
SHORTEST_WINDOW, LAST = 5, 0.8
"""Iterations of the first window of the metric at least, and the share of the warmup after which it is held."""
MEMORY, TINY = 0.95, 1e-20
"""Adam of the paper: squared gradients are remembered at this rate, gradients themselves not."""
EARLY, EARLY_STEPS = 0.1, 10
"""The share of the warmup in which trajectories are short, and by how many steps: metric and length mean little yet."""
CLIP = 0.35
"""Change of a log length in one iteration at most."""


@dataclass(frozen=True)
class Options:
    """How the ensemble is tuned; inits are U(−2, 2) unconstrained, drawn anew where the density is not finite."""

    ensemble: int = option(32, "chains that warm up together; at least as many as the budget has")
    target_accept: float = option(0.8, "target of step-size adaptation, for the harmonic mean over the ensemble")
    metric: Literal["diagonal", "identity"] = option("diagonal", "metric; diagonal: of the ensemble in warmup")
    step_size: float = option(0.1, "step size and trajectory length of the first warmup step")
    lr: float = option(0.025, "learning rate of Adam on the log trajectory length")
    max_steps: int = option(1000, "leapfrog steps of a trajectory at most")
    superchains: int = option(8, "starts that the chains share, for nested R-hat; 0: a start for each")
    gradient: Literal["auto", "autograd"] = option("auto", "auto: by hand where it is derived, else by autograd")


@dataclass
class Tuned:
    """What is the same for all chains: step size, trajectory length in units of the metric, and `scale` (dim,)."""

    step: float
    length: float
    scale: Tensor
    turn: int = 0
    """Trajectories so far: the place in Halton's sequence."""

    def share(self) -> float:
        """The share of the length that the present trajectory takes, in (0, 1)."""
        return halton(self.turn)

    def steps(self, most: int) -> int:
        """Leapfrog steps of the present trajectory."""
        return min(max(1, math.ceil(self.share() * self.length / self.step)), most)

    def stats(self) -> dict[str, float]:
        """What a fit states of it."""
        return {"step_size": self.step, "trajectory_length": self.length}


@dataclass
class Flow:
    """The end of a trajectory of every chain, before it is accepted or not."""

    end: Point
    p: Tensor
    gain: Tensor
    start: Tensor
    """Log joint at the start."""


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> sampler.Program:
    """Nothing to compile; Unsupported for an ensemble of one, and for options that mean nothing."""
    if not 0.0 < options.target_accept < 1.0:
        raise Unsupported(f"target_accept={options.target_accept:g} is no probability between 0 and 1")
    if options.step_size <= 0.0 or options.max_steps < 1 or options.lr <= 0.0:
        raise Unsupported(
            f"step_size={options.step_size:g}, max_steps={options.max_steps}, lr={options.lr:g}: all must be positive"
        )
    chains = max(options.ensemble, budget.chains)
    if chains < 2:
        raise Unsupported("the ensemble has one chain; ChEES compares chains: ensemble must be 2 or more")
    if options.superchains < 0:
        raise Unsupported(f"superchains={options.superchains}: it must be 0 or more")
    return sampler.Program(
        budget, place, options.target_accept, partial(_move, options.max_steps), options.max_steps, options.gradient,
        warm_up=partial(_warm, options), ensemble=chains, superchains=min(options.superchains, chains),
    )  # fmt: skip


def halton(i: int) -> float:
    """Member i ≥ 0 of the van der Corput sequence, Halton's in base 2: 1/2, 1/4, 3/4, 1/8, …"""
    value, place, i = 0.0, 0.5, i + 1
    while i:
        value, place, i = value + place * (i & 1), 0.5 * place, i >> 1
    return value


def flow(target: Target, point: Point, step: float, scale: Tensor, steps: int, generator: torch.Generator) -> Flow:
    """`steps` leapfrog steps from fresh momenta; half kicks between two steps are merged."""
    p = normal(point.z, generator)
    drift = step * scale
    end, moved = point, torch.addcmul(p, drift, point.slope, value=0.5)
    for left in range(steps, 0, -1):
        end = target(torch.addcmul(end.z, drift, moved))
        moved = torch.addcmul(moved, drift, end.slope, value=1.0 if left > 1 else 0.5)
    start = point.value - 0.5 * p.square().sum(-1)
    return Flow(end, moved, end.value - 0.5 * moved.square().sum(-1) - start, start)


def _move(most: int, target: Target, point: Point, tuned: Tuned, generator: torch.Generator) -> Transition:
    steps = tuned.steps(most)
    tuned.turn += 1
    return _accepted(point, flow(target, point, tuned.step, tuned.scale, steps, generator), steps, generator)


def _accepted(point: Point, made: Flow, steps: int, generator: torch.Generator) -> Transition:
    gain = made.gain
    moved = torch.rand(gain.shape, generator=generator, dtype=gain.dtype, device=gain.device).log() < gain
    at, end = moved.unsqueeze(-1), made.end  # False where it is NaN
    point = Point(
        torch.where(at, end.z, point.z), torch.where(moved, end.value, point.value),
        torch.where(at, end.slope, point.slope),
    )  # fmt: skip
    accept = gain.clamp(max=0.0).exp().nan_to_num(0.0)
    energy = -(made.start + torch.where(moved, gain, 0.0))
    taken = torch.full(gain.shape, steps, device=gain.device)
    return Transition(point, energy, accept, taken, ~(gain > -LARGEST_ERROR))


def windows(warmup: int) -> list[int]:
    """Counts of iterations after which the metric is learned from the second half of all so far."""
    edges, edge = list[int](), int(LAST * warmup)
    while edge >= 2 * SHORTEST_WINDOW:
        edges.insert(0, edge)
        edge //= 2
    return edges


@dataclass
class Length:
    """The log of the trajectory length, by Adam up the ChEES gradient; sampled with is the average of its iterates.

    Adam's rate falls with the root of its steps: at a constant one noise carries the length of a nearly normal
    posterior, whose criterion has maxima at 2.2, 5.5, 8.6, … sd, from the first to later ones.
    """

    lr: float
    log: float
    average: float = field(init=False)
    count: int = 0
    squares: float = 0.0

    def __post_init__(self) -> None:
        self.average = self.log

    def restart(self, log: float) -> None:
        """Go on from another length, where the metric has changed."""
        self.log, self.count, self.squares = log, 0, 0.0

    def update(self, gradient: float) -> None:
        """One step; none along what is no number."""
        self.count += 1
        if math.isfinite(gradient):
            self.squares = MEMORY * self.squares + (1.0 - MEMORY) * gradient**2
            size = math.sqrt(self.squares / (1.0 - MEMORY**self.count)) + TINY
            self.log += max(-CLIP, min(CLIP, self.lr * gradient / size / math.sqrt(self.count)))
        self.average += (self.log - self.average) * self.count**-0.5


def criterion(before: Tensor, after: Tensor, p: Tensor, accept: Tensor, scale: Tensor) -> Tensor:
    """The ChEES gradient in the log of the trajectory's time, per unit of that time: equation 6 of the paper, ().

    Of positions (chain, dim) before and after with momenta p, all in units of the metric, weighted by the acceptance
    probability; means are of the ensemble, after a trajectory of what was accepted at all.
    """
    usable = (accept > 0.0).unsqueeze(-1)
    after, p = torch.where(usable, after, before), torch.where(usable, p, 0.0)
    centred = torch.stack((before, after)) / scale
    centred = centred - centred.mean(1, keepdim=True)
    squares = centred.square().sum(-1)
    each = (squares[1] - squares[0]) * (centred[1] * p).sum(-1)
    return (accept * each).sum() / (accept.sum() + TINY)


def _warm(
    options: Options, program: sampler.Program, target: Target, point: Point, generator: torch.Generator
) -> tuple[Point, Tuned, int]:
    """Every iteration moves step size and length; the last value returned is the number of gradients."""
    tuned = Tuned(options.step_size, options.step_size, torch.ones_like(point.z[0]))
    averaging = DualAveraging(options.target_accept, math.log(options.step_size))
    length = Length(options.lr, math.log(tuned.length))
    edges = windows(program.budget.warmup) if options.metric == "diagonal" else []
    seen, taken = list[Tensor](), 0
    for done in range(1, program.budget.warmup + 1):
        early = done <= EARLY * program.budget.warmup
        steps, share = tuned.steps(min(EARLY_STEPS, options.max_steps) if early else options.max_steps), tuned.share()
        made = flow(target, point, tuned.step, tuned.scale, steps, generator)
        transition = _accepted(point, made, steps, generator)
        accept = transition.accept
        slope = criterion(point.z, made.end.z, made.p, accept, tuned.scale)
        harmonic, slope = torch.stack((accept.reciprocal().mean().reciprocal(), slope)).tolist()
        point, taken, tuned.turn = transition.point, taken + steps * len(accept), tuned.turn + 1
        log_step = averaging.update(harmonic)
        length.update(share * tuned.length * slope)
        tuned.step, tuned.length = math.exp(log_step), math.exp(length.log)
        if edges and done <= edges[-1]:
            seen.append(point.z)
        if done in edges:
            _learn(tuned, torch.stack(seen[done // 2 :]), averaging, length)
    if program.budget.warmup:
        tuned.step, tuned.length = math.exp(averaging.settled()), math.exp(length.average)
    return point, tuned, taken


def _learn(tuned: Tuned, draws: Tensor, averaging: DualAveraging[float], length: Length) -> None:
    """Take the variances of draws (iteration, chain, dim) for the metric.

    The step size starts anew where the stiffest direction allows what it allowed before, the length at a quarter turn
    of the widest one: π/2 times the root of the largest eigenvalue of the correlations, from where ChEES goes on.
    """
    draws = draws.flatten(0, 1)
    scale = draws.std(0).clamp(min=TINY)
    standard = (draws - draws.mean(0)) / scale
    widest = torch.linalg.eigvalsh(standard.mT @ standard / len(draws))[-1].item()
    ratio = (tuned.scale / scale).min().item()
    tuned.scale, log_step = scale, averaging.settled() + math.log(ratio)
    averaging.restart(log_step, bold=1.0)
    length.restart(math.log(0.5 * math.pi * math.sqrt(max(widest, 1.0))))
    tuned.step, tuned.length = math.exp(log_step), math.exp(length.log)

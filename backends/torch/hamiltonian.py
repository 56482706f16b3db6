"""Hamiltonian dynamics of a batch of chains, shared by `torch.hmc`, `torch.nuts` and `torch.chees`.

Positions z (chain, dim) are unconstrained. Momenta p are in units of the metric: with `scale` s = √(inverse mass), a
leapfrog step of size ε is p += ε/2·s·∇, z += ε·s·p, p += ε/2·s·∇, the kinetic energy is |p|²/2, and inner products of
momenta need no metric.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from backends.torch.gradients import Gradient
from bench.types import Diverged

LARGEST_ERROR = 1000.0
"""Nats by which the energy of a trajectory may grow before it counts as divergent, as in Stan."""
ATTEMPTS = 100
"""Starts tried per chain until density and gradient are finite."""


class Point(NamedTuple):
    """Positions z (chain, dim) with their log densities (chain,) and gradients (chain, dim)."""

    z: Tensor
    value: Tensor
    slope: Tensor


class Tuning(NamedTuple):
    """What warmup tunes in each chain: `step` (chain,) and `scale` (chain, dim); `scale` is 1 until it is `learned`."""

    step: Tensor
    scale: Tensor
    learned: bool

    def stats(self) -> dict[str, float]:
        """What a fit states of it."""
        return {"step_size": float(self.step.mean())}


class Transition(NamedTuple):
    """One trajectory per chain: the point it led to, and its statistics, each (chain,)."""

    point: Point
    energy: Tensor  # at `point`, with the momentum that the trajectory had there
    accept: Tensor  # acceptance probability, averaged over the trajectory where it has many
    steps: Tensor  # leapfrog steps that this chain needed
    diverging: Tensor
    depth: Tensor | None = None  # doublings of the trajectory, where it doubles


class Jump(NamedTuple):
    """The end of one trajectory per chain, taken or not; of what is (chain,) statistics are made of many at once."""

    point: Point
    start: Tensor
    """Log joint at the start."""
    gain: Tensor
    moved: Tensor
    steps: Tensor
    depth: Tensor | None = None

    @property
    def accept(self) -> Tensor:
        """The probability to take it."""
        return self.gain.clamp(max=0.0).exp().nan_to_num(0.0)

    @property
    def energy(self) -> Tensor:
        """At `point`, with the momentum that the trajectory had there."""
        return -(self.start + torch.where(self.moved, self.gain, 0.0))

    @property
    def diverging(self) -> Tensor:
        """Whether the energy grew out of all bounds."""
        return ~(self.gain > -LARGEST_ERROR)


def jump(point: Point, end: Point, start: Tensor, gain: Tensor, steps: Tensor, generator: torch.Generator) -> Jump:
    """Metropolis' choice between the points; a chain whose gain is NaN stays."""
    moved = gain + torch.empty_like(gain).exponential_(generator=generator) > 0.0
    at = moved.unsqueeze(-1)
    chosen = Point(
        torch.where(at, end.z, point.z), torch.where(moved, end.value, point.value),
        torch.where(at, end.slope, point.slope),
    )  # fmt: skip
    return Jump(chosen, start, gain, moved, steps)


class Target:
    """A log density batched over chains, with its gradient; `executed` counts gradients, chains times calls."""

    def __init__(self, gradient: Gradient) -> None:
        self.gradient = gradient
        self.executed = 0

    def __call__(self, z: Tensor) -> Point:
        """One evaluation for all chains."""
        self.executed += len(z)
        return Point(z, *self.gradient(z))

    def glide(self, z: Tensor, p: Tensor, drift: Tensor, kick: Tensor) -> tuple[Point, Tensor]:
        """A step of chains whose momenta have had their kick: z moves by `drift`, then p by `kick`, (chain, dim)."""
        point = self(torch.addcmul(z, drift, p))
        return point, torch.addcmul(p, kick, point.slope)


def starts(target: Target, chains: int, dim: int, like: Tensor, seed: int) -> tuple[Point, int]:
    """A start per chain, U(−2, 2) in every coordinate, drawn anew where density or gradient is not finite.

    Returns also the number of evaluations; Diverged when a chain finds no start.
    """
    rng, needed = np.random.default_rng(seed), chains
    point = target(like.new_tensor(rng.uniform(-2, 2, (chains, dim))))
    for _ in range(ATTEMPTS):
        lost = ~(torch.isfinite(point.value) & torch.isfinite(point.slope).all(-1))
        if not lost.any():
            return point, needed
        needed += int(lost.sum())
        again = like.new_tensor(rng.uniform(-2, 2, (chains, dim)))
        point = target(torch.where(lost.unsqueeze(-1), again, point.z))
    raise Diverged(f"no start in U(−2, 2) with a finite log density in {ATTEMPTS} attempts")


def normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal momenta."""
    return torch.randn(like.shape, generator=generator, dtype=like.dtype, device=like.device)


def log_joint(value: Tensor, p: Tensor) -> Tensor:
    """Minus the energy, (chain,)."""
    return torch.sub(value, torch.linalg.vecdot(p, p), alpha=0.5)


def leapfrog(target: Target, point: Point, p: Tensor, kick: Tensor, drift: Tensor) -> tuple[Point, Tensor]:
    """One step of every chain: `kick` is ε/2·s and `drift` ε·s, both (chain, dim); one gradient."""
    p = torch.addcmul(p, kick, point.slope)
    point = target(torch.addcmul(point.z, drift, p))
    return point, torch.addcmul(p, kick, point.slope)

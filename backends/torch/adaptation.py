"""What warmup tunes, each chain by itself as in Stan: step size by dual averaging, diagonal metric in growing windows.

Hoffman & Gelman (2014), sections 3.2.1 and 3.2.2; windows, thresholds and shrinkage are those of Stan's manual.
"""

from __future__ import annotations

import math
from typing import Generic, TypeVar

import torch
from torch import Tensor

from backends.torch.hamiltonian import Point, Target, leapfrog, log_joint, normal

GAMMA, T0, KAPPA = 0.05, 10.0, 0.75
FAST_BEFORE, FIRST_SLOW, FAST_AFTER = 75, 25, 50
"""Warmup steps before the first window of the metric, in it, and after the last."""
SHORTEST = 20
"""Warmup steps below which the metric stays as it is."""
PRIOR_DRAWS, PRIOR_VARIANCE = 5.0, 1e-3
"""Shrinkage of a window's variance: towards PRIOR_VARIANCE, which counts as much as PRIOR_DRAWS draws."""
CROSSING = math.log(0.8)
"""Log of the acceptance probability of one step that the search for a first step size is to cross."""
HALVINGS = 60


def windows(warmup: int) -> list[int]:
    """Counts of warmup steps after which the metric is learned from the draws since the one before.

    The first count is where learning begins. Each window is twice as long as the one before, and the last one ends
    where the final phase of the step size begins. Empty for a very short warmup.
    """
    if warmup < SHORTEST:
        return []
    before, size, after = FAST_BEFORE, FIRST_SLOW, FAST_AFTER
    if before + size + after > warmup:
        before, after = int(0.15 * warmup), int(0.1 * warmup)
        size = warmup - before - after
    edges, end = [before], warmup - after
    while edges[-1] < end:
        following = edges[-1] + size
        edges.append(following if following + 2 * size <= end else end)
        size *= 2
    return edges


Number = TypeVar("Number", float, Tensor)


class DualAveraging(Generic[Number]):
    """Logs of step sizes that bring the acceptance probability to `target`: of each chain (chain,), or one number."""

    def __init__(self, target: float, log_step: Number) -> None:
        self.target = target
        self.restart(log_step)

    def restart(self, log_step: Number, bold: float = 10.0) -> None:
        """Start anew; log steps are shrunk towards that of `bold` times this one, 10 as Hoffman & Gelman advise."""
        self.count = 0
        self.centre: Number = log_step + math.log(bold)
        self.error: Number = 0.0 * log_step
        self.average: Number = log_step

    def update(self, accept: Number) -> Number:
        """Logs of the step sizes to try next, after the acceptance probabilities of the last."""
        self.count += 1
        self.error = self.error + (self.target - accept - self.error) * (1.0 / (self.count + T0))
        log_step = self.centre - self.error * (math.sqrt(self.count) / GAMMA)
        self.average = self.average + (log_step - self.average) * self.count**-KAPPA
        return log_step

    def settled(self) -> Number:
        """Logs of the step sizes to sample with: their average, weighted towards the end."""
        return self.average


def variance(draws: list[Tensor]) -> Tensor:
    """Variances (chain, dim) of a window's draws, each (chain, dim), shrunk a little towards a small constant."""
    n = float(len(draws))
    weight = n / (n + PRIOR_DRAWS)
    return weight * torch.stack(draws).var(0) + (1.0 - weight) * PRIOR_VARIANCE


def reasonable(
    target: Target, point: Point, step: Tensor, scale: Tensor, generator: torch.Generator
) -> tuple[Tensor, int]:
    """Step sizes doubled or halved until the acceptance of one leapfrog step crosses 0.8, with fresh momenta each time.

    Returns also the number of gradients; a chain that has its step size and waits for others is not counted.
    """
    done, needed, up = torch.zeros_like(step, dtype=torch.bool), 0, None
    for _ in range(HALVINGS):
        needed += int((~done).sum())
        p = normal(point.z, generator)
        drift = step.unsqueeze(-1) * scale
        after, p_after = leapfrog(target, point, p, 0.5 * drift, drift)
        above = log_joint(after.value, p_after) - log_joint(point.value, p) > CROSSING  # False where it is NaN
        up = above if up is None else up
        done = done | (above != up)
        if done.all():
            break
        step = torch.where(done, step, torch.where(up, 2.0 * step, 0.5 * step))
    return step, needed

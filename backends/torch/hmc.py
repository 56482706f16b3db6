"""Hamiltonian Monte Carlo by hand, all chains as one batch: one batched density and gradient per leapfrog step.

A trajectory is `trajectory` long in posterior sds as the metric has learned them, times a factor drawn from U(0.5, 1.5)
anew for every draw (one for all chains), so that no period of the target fits it; it takes the nearest whole number of
steps, from 1 to `max_steps`, or to 10 until the metric is first learned. Tuned as `torch.nuts`: an acceptance of 0.8 is
what the other samplers aim at; 0.651 is optimal for long trajectories in many dimensions (Beskos et al. 2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch

from backends.torch import sampler
from backends.torch.hamiltonian import Jump, Point, Target, Tuning, jump, log_joint, normal
from backends.torch.sampler import draw, fit, resume
from bench.types import Budget, Dataset, Place, Unsupported, option

__all__ = ["DEVICES", "KIND", "Options", "build", "draw", "fit", "resume"]

KIND = "mcmc"
DEVICES = ("cpu", "cuda")
UNLEARNED_STEPS = 10
"""Steps at most while the metric is unknown, when a length in posterior sds means nothing yet."""


@dataclass(frozen=True)
class Options:
    """How the step size is tuned, and how long a trajectory is."""

    target_accept: float = option(0.8, "target acceptance probability of step-size adaptation")
    trajectory: float = option(1.5708, "mean length in posterior sds; π/2 turns a normal posterior by a quarter")
    max_steps: int = option(100, "leapfrog steps of a trajectory at most")
    gradient: Literal["auto", "autograd"] = option("auto", "auto: by hand where it is derived, else by autograd")


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> sampler.Program:
    """Nothing to compile; Unsupported for targets no step size can reach and trajectories without length."""
    if not 0.0 < options.target_accept < 1.0:
        raise Unsupported(f"target_accept={options.target_accept:g} is no probability between 0 and 1")
    if options.trajectory <= 0.0 or options.max_steps < 1:
        raise Unsupported(f"trajectory={options.trajectory:g}, max_steps={options.max_steps}: both must be positive")
    move = partial(_move, options)
    return sampler.Program(budget, place, options.target_accept, move, options.max_steps, options.gradient)


def _move(options: Options, target: Target, point: Point, tuning: Tuning, generator: torch.Generator) -> Jump:
    """One trajectory per chain; half kicks between two steps are merged, chains that have arrived stand still."""
    p = normal(point.z, generator)
    start = log_joint(point.value, p)
    factor = torch.rand((), generator=generator, dtype=p.dtype, device=p.device) + 0.5
    longest = options.max_steps if tuning.learned else min(UNLEARNED_STEPS, options.max_steps)
    steps = (options.trajectory * factor / tuning.step).round().clamp(1, longest)
    least, most = (int(x) for x in torch.stack(steps.aminmax()).tolist())
    drift = tuning.step.unsqueeze(-1) * tuning.scale
    end, p = point, torch.addcmul(p, drift, point.slope, value=0.5)
    for taken in range(1, most + 1):
        going = 1.0 if taken <= least else (taken <= steps).to(p.dtype).unsqueeze(-1)
        end = target(torch.addcmul(end.z, drift * going, p))
        kicks = 2.0 if taken < least else ((taken <= steps).to(p.dtype) + (taken < steps)).unsqueeze(-1)
        p = torch.addcmul(p, drift * kicks, end.slope, value=0.5)
    return jump(point, end, start, log_joint(end.value, p) - start, steps.long(), generator)

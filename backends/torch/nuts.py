"""The No-U-Turn sampler by hand, all chains as one batch: one batched density and gradient per leapfrog step.

Tuned as Stan tunes: each chain by itself, starts U(−2, 2) on the unconstrained scale, diagonal metric. Gradients spent
on starts and on first step sizes are counted in the warmup. Chains whose trajectory has ended wait for the others,
which `gradients_executed` shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch

from backends.torch import sampler, tree
from backends.torch.hamiltonian import Point, Target, Transition, Tuning
from backends.torch.sampler import draw, fit, resume
from bench.types import Budget, Dataset, Place, Unsupported, option

__all__ = ["DEVICES", "KIND", "Options", "build", "draw", "fit", "resume"]

KIND = "mcmc"
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Options:
    """How the step size is tuned and a trajectory ends."""

    target_accept: float = option(0.8, "target acceptance probability of step-size adaptation")
    max_tree_depth: int = option(10, "doublings of a trajectory at most")
    gradient: Literal["auto", "autograd"] = option("auto", "auto: by hand where it is derived, else by autograd")


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> sampler.Program:
    """Nothing to compile; Unsupported for targets no step size can reach and trees without a leaf."""
    if not 0.0 < options.target_accept < 1.0:
        raise Unsupported(f"target_accept={options.target_accept:g} is no probability between 0 and 1")
    if not 1 <= options.max_tree_depth <= 20:
        raise Unsupported(f"max_tree_depth={options.max_tree_depth}: it must be 1 to 20")
    move = partial(_move, options.max_tree_depth)
    longest = 2**options.max_tree_depth - 1
    return sampler.Program(budget, place, options.target_accept, move, longest, options.gradient)


def _move(max_depth: int, target: Target, point: Point, tuning: Tuning, generator: torch.Generator) -> Transition:
    return tree.transition(target, point, tuning, max_depth=max_depth, generator=generator)

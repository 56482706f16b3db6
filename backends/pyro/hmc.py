"""Pyro's own HMC through `MCMC`, one chain after the other in this process.

A trajectory is `trajectory` long in posterior sds as the metric has learned them, times a factor drawn from
U(1 − jitter, 1 + jitter) anew for every draw, as in `torch.hmc`; it takes the whole number of steps below that, from 1
to `max_steps`, or to 10 until the metric is first learned. Pyro itself has neither factor nor limit (the track
`defaults`): its 2π brings a normal posterior back to where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from pyro.infer import HMC

from backends._shared import trajectories
from backends._shared.trajectories import UNLEARNED_STEPS
from backends.pyro import sampler
from backends.pyro.sampler import draw, fit, resume
from bench.types import Budget, Dataset, Place, Unsupported, option

__all__ = ["DEFAULTS", "DEVICES", "KIND", "Options", "build", "draw", "fit", "resume"]

KIND = "mcmc"
DEVICES = ("cpu", "cuda")
DEFAULTS = {"progress_bar": True, "trajectory": 6.283185307179586, "jitter": 0.0, "max_steps": 0}


@dataclass(frozen=True)
class Options:
    """How the sampler is run and tuned; the metric is diagonal, inits are U(−2, 2) unconstrained."""

    jit_compile: bool = option(False, "trace the density once per data set instead of running the model at each step")
    target_accept: float = option(0.8, "target acceptance probability of step-size adaptation")
    trajectory: float = option(1.5708, "mean length in posterior sds; π/2 turns a normal posterior by a quarter")
    jitter: float = option(0.5, "largest deviation of a trajectory's length from its mean, as a share of it; 0: none")
    max_steps: int = option(100, "leapfrog steps of a trajectory at most; 0: no limit")
    progress_bar: bool = option(False, "show Pyro's progress bar")


class Jittered(HMC):
    """HMC whose trajectories differ in length as the options say."""

    def __init__(self, options: Options, potential: sampler.Potential) -> None:
        super().__init__(
            potential_fn=potential, target_accept_prob=options.target_accept, trajectory_length=options.trajectory
        )
        self.options = options

    @property
    def num_steps(self) -> int:
        """Steps of the next trajectory, which Pyro asks for once."""
        share = self.options.jitter * (2.0 * torch.rand(()).item() - 1.0) if self.options.jitter else 0.0
        steps = max(1, int(self.trajectory_length * (1.0 + share) / self.step_size))
        if not self.options.max_steps:
            return steps
        unknown = all((variance == 1.0).all() for variance in self.inverse_mass_matrix.values())
        return min(steps, self.options.max_steps, UNLEARNED_STEPS if unknown else steps)


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> sampler.Program:
    """Make the model; Unsupported for targets no step size can reach and trajectories without length."""
    if not 0.0 < options.target_accept < 1.0:
        raise Unsupported(f"target_accept={options.target_accept:g} is no probability between 0 and 1")
    trajectories.check(options)
    return sampler.build(partial(Jittered, options), data, budget, options, place)

"""ChEES-HMC by hand: many chains as one batch, tuned together, without a tree (Hoffman, Radul & Sountsov 2021).

An ensemble warms up; the budget's chains are the first of it, and they alone go on. All chains take the same number of
leapfrog steps, a quasi-random share (Halton) of the trajectory length, so that none waits for another. As in the paper,
the step size is tuned by dual averaging on the harmonic mean of acceptance probabilities, the length by Adam along the
gradient of the change in the estimator of the expected square. Not in the paper: the metric is the variance of the
ensemble in windows that double up to four fifths of the warmup, each restarts the length, and Adam's rate falls; and
the warmup ends early where the chains agree, a quarter of its iterations after the window that showed it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from backends._shared import trajectories
from backends.torch import compiled, ensemble, sampler
from backends.torch.adaptation import DualAveraging
from backends.torch.approach import Curvature, climb, curvature
from backends.torch.ensemble import Length
from backends.torch.hamiltonian import Jump, Point, Target, jump, log_joint, normal
from backends.torch.sampler import compile, draw, fit, resume
from bench.types import Budget, Dataset, Place, Unsupported, option

__all__ = ["DEFAULTS", "DEVICES", "KIND", "Options", "build", "compile", "draw", "fit", "resume"]

KIND = "mcmc"
DEVICES = ("cpu", "cuda")
DEFAULTS = {"target_accept": 0.651, "metric": "identity", "start": "uniform", "settle": False}
"""Those of the paper."""
EARLY, EARLY_STEPS = 0.1, 10
"""Leapfrog steps of a trajectory at most while metric and length mean little yet, and the share of the warmup in which
they do where no metric is learned. Where one is, until it is steady, as many as there were iterations before it."""
FINAL = 25
"""Iterations at least in which step size and length settle, after the last metric."""


@dataclass(frozen=True)
class Options:
    """How the ensemble is tuned; inits are U(−2, 2) unconstrained, drawn anew where the density is not finite."""

    ensemble: int = option(32, "chains that warm up together; at least as many as the budget has")
    target_accept: float = option(0.8, "target of step-size adaptation, for the harmonic mean over the ensemble")
    metric: Literal["diagonal", "identity"] = option("diagonal", "metric; diagonal: of the ensemble in warmup")
    start: Literal["mode", "uniform"] = option(
        "mode", "uniform: U(−2, 2); mode: where L-BFGS leads from there, with its curvature, if it comes to rest"
    )
    step_size: float = option(0.1, "step size and trajectory length of the first warmup step")
    lr: float = option(0.025, "learning rate of Adam on the log trajectory length")
    max_steps: int = option(1000, "leapfrog steps of a trajectory at most")
    settle: bool = option(True, "end the warmup once its chains agree, if the metric is diagonal; false: use it all")
    superchains: int = option(8, "starts that the chains share, for nested R-hat; 0: a start for each")
    compile: bool = option(
        False, "compile a leapfrog step, by torch.compile, before the first fit; needs a C++ compiler"
    )
    gradient: Literal["auto", "autograd"] = option("auto", "auto: by hand where it is derived, else by autograd")


@dataclass
class Tuned:
    """What is the same for all chains: step size, trajectory length in units of the metric, and `scale` (dim,)."""

    step: float
    length: float
    scale: Tensor
    turn: int = 0
    """Trajectories so far: the place in Halton's sequence."""
    iterations: int = 0
    """Those of the warmup."""

    def share(self) -> float:
        """The share of the length that the present trajectory takes, in (0, 1)."""
        return halton(self.turn)

    def steps(self, most: int) -> int:
        """Leapfrog steps of the present trajectory."""
        return min(max(1, math.ceil(self.share() * self.length / self.step)), most)

    def stats(self) -> dict[str, float]:
        """What a fit states of it."""
        return {"step_size": self.step, "trajectory_length": self.length, "warmup_iterations": self.iterations}


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> sampler.Program:
    """Nothing to compile; Unsupported for an ensemble of one, and for options that mean nothing."""
    if not 0.0 < options.target_accept < 1.0:
        raise Unsupported(f"target_accept={options.target_accept:g} is no probability between 0 and 1")
    if options.step_size <= 0.0 or options.max_steps < 1 or options.lr <= 0.0:
        raise Unsupported(
            f"step_size={options.step_size:g}, max_steps={options.max_steps}, lr={options.lr:g}: all must be positive"
        )
    chains = trajectories.ensemble(options, budget)
    if options.compile and options.gradient == "autograd":
        raise Unsupported("compile=true compiles gradients that are derived by hand: gradient=auto")
    return sampler.Program(
        budget, place, options.target_accept, partial(_move, options.max_steps), options.max_steps, options.gradient,
        warm_up=partial(_warm, options), ensemble=chains, superchains=min(options.superchains, chains),
        step=compiled.step(data, place) if options.compile else None,
    )  # fmt: skip


def halton(i: int) -> float:
    """Member i ≥ 0 of the van der Corput sequence, Halton's in base 2: 1/2, 1/4, 3/4, 1/8, …"""
    value, place, i = 0.0, 0.5, i + 1
    while i:
        value, place, i = value + place * (i & 1), 0.5 * place, i >> 1
    return value


def flow(
    target: Target, point: Point, tuned: Tuned, steps: int, generator: torch.Generator
) -> tuple[Point, Tensor, Jump]:
    """Where `steps` leapfrog steps from fresh momenta end, with which momenta, and what is made of it.

    Half kicks between two steps are merged.
    """
    p = normal(point.z, generator)
    start, tuned.turn = log_joint(point.value, p), tuned.turn + 1
    drift = (tuned.step * tuned.scale).expand_as(p).contiguous()
    kick, half = drift.clone(), 0.5 * drift
    end, p = point, torch.addcmul(p, half, point.slope)
    for _ in range(steps - 1):
        end, p = target.glide(end.z, p, drift, kick)
    end, p = target.glide(end.z, p, drift, half)
    taken = torch.full(start.shape, steps, device=start.device)
    return end, p, jump(point, end, start, log_joint(end.value, p) - start, taken, generator)


def _move(most: int, target: Target, point: Point, tuned: Tuned, generator: torch.Generator) -> Jump:
    return flow(target, point, tuned, tuned.steps(most), generator)[-1]


def _warm(
    options: Options, program: sampler.Program, target: Target, point: Point, generator: torch.Generator
) -> tuple[Point, Tuned, int]:
    """Every iteration moves step size and length; the last value returned is the number of gradients."""
    tuned = Tuned(options.step_size, options.step_size, torch.ones_like(point.z[0]))
    averaging = DualAveraging(options.target_accept, math.log(options.step_size))
    length, end = Length(options.lr, math.log(tuned.length)), program.budget.warmup
    edges = ensemble.windows(end) if options.metric == "diagonal" else []
    most, seen, before, done = min(EARLY_STEPS, options.max_steps), list[Point](), target.executed, 0
    if options.start == "mode" and end:
        point, found = _approach(target, point, program.superchains or len(point.z))
        if found is not None and edges:
            tuned.scale, tuned.step, tuned.length = found.scale, 0.5 * found.narrowest, 0.5 * math.pi * found.widest
            averaging.restart(math.log(tuned.step), bold=1.0)
            length, most = Length(options.lr, math.log(tuned.length)), options.max_steps
    while done < end:
        done += 1
        if not edges and done > EARLY * end:
            most = options.max_steps
        steps, share = tuned.steps(most), tuned.share()
        reached, p, made = flow(target, point, tuned, steps, generator)
        accept = made.accept
        slope = ensemble.criterion(point.z, reached.z, p, accept, tuned.scale)
        harmonic, slope = torch.stack((accept.reciprocal().mean().reciprocal(), slope)).tolist()
        point, log_step = made.point, averaging.update(harmonic)
        length.update(share * tuned.length * slope)
        tuned.step, tuned.length = math.exp(log_step), math.exp(length.log)
        if edges and done <= edges[-1]:
            seen.append(point)
        if done in edges:
            recent = seen[done // 2 :]
            z, values = torch.stack([at.z for at in recent]), torch.stack([at.value for at in recent])
            steady = _learn(tuned, z, averaging, length)
            most = options.max_steps if steady else max(most, min(done, options.max_steps))
            groups = program.superchains or len(accept)
            if options.settle and steady and ensemble.settled(z, values, groups):
                edges, end = [], min(end, done + max(FINAL, done // 2))
    if end:
        tuned.step, tuned.length = math.exp(averaging.settled()), math.exp(length.average)
    tuned.iterations = end
    return point, tuned, target.executed - before


def _approach(target: Target, point: Point, starts: int) -> tuple[Point, Curvature | None]:
    """Every chain where its start leads, and the curvature of the best end; as they were where there is no mode."""
    ends, resting = climb(target, Point(*(x[:starts] for x in point)))
    best = ends.value.argmax()
    found = curvature(target, ends.z[best], ends.slope[best], len(point.z)) if resting else None
    if found is None:
        return point, None
    chains = torch.arange(len(point.z), device=point.z.device) % starts
    return Point(*(x[chains] for x in ends)), found


def _learn(tuned: Tuned, draws: Tensor, averaging: DualAveraging[float], length: Length) -> bool:
    """Take the variances of draws (iteration, chain, dim) for the metric; whether they are nearly those it had.

    The step size starts anew where the stiffest direction allows what it allowed before, the length at a quarter turn
    of the widest one: π/2 times the root of the largest eigenvalue of the correlations, from where ChEES goes on.
    """
    scale, widest = ensemble.spread(draws)
    change = torch.stack((tuned.scale / scale).log().aminmax()).tolist()
    tuned.scale, log_step = scale, averaging.settled() + change[0]
    averaging.restart(log_step, bold=1.0)
    length.restart(math.log(0.5 * math.pi * widest))
    tuned.step, tuned.length = math.exp(log_step), math.exp(length.log)
    return max(change[1], -change[0]) < ensemble.STEADY

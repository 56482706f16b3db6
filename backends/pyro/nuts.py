"""Pyro's own NUTS through `MCMC`, one chain after the other in this process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from pyro.infer import NUTS

from backends.pyro import sampler
from backends.pyro.sampler import draw, fit, resume
from bench.types import Budget, Dataset, Place, Unsupported, option

__all__ = ["DEFAULTS", "DEVICES", "KIND", "Options", "build", "draw", "fit", "resume"]

KIND = "mcmc"
DEVICES = ("cpu", "cuda")
DEFAULTS = {"progress_bar": True}


@dataclass(frozen=True)
class Options:
    """How the sampler is run and tuned; the metric is diagonal, inits are U(−2, 2) unconstrained."""

    jit_compile: bool = option(False, "trace the density once per data set instead of running the model at each step")
    target_accept: float = option(0.8, "target acceptance probability of step-size adaptation")
    max_tree_depth: int = option(10, "doublings of a trajectory at most")
    progress_bar: bool = option(False, "show Pyro's progress bar")


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> sampler.Program:
    """Make the model; Unsupported for targets no step size can reach and trees without a leaf."""
    if not 0.0 < options.target_accept < 1.0 or not 1 <= options.max_tree_depth <= 20:
        raise Unsupported(
            f"target_accept={options.target_accept:g}, max_tree_depth={options.max_tree_depth}: "
            "they must lie between 0 and 1, and in 1 to 20"
        )
    return sampler.build(partial(_kernel, options), data, budget, options, place, longest=2**options.max_tree_depth - 1)


def _kernel(options: Options, potential: sampler.Potential) -> NUTS:
    return NUTS(potential_fn=potential, target_accept_prob=options.target_accept, max_tree_depth=options.max_tree_depth)

"""NUTS of NumPyro, compiled ahead of time as one program of warmup and sampling that serves every rep.

`aot=false` calls `MCMC.run` as most users do, which compiles anew on every call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from numpyro.infer import NUTS

from backends.numpyro import models, sampler
from backends.numpyro.sampler import compile, draw, fit, resume
from bench.types import Budget, Dataset, Place, option

__all__ = ["DEFAULTS", "DEVICES", "KIND", "Options", "build", "compile", "draw", "fit", "resume"]

KIND = "mcmc"
DEVICES = ("cpu", "cuda")
DEFAULTS = {"aot": False, "chain_method": "sequential", "progress_bar": True}
"""What `MCMC` does by default where there is one device, for which it turns "parallel" into "sequential"."""


@dataclass(frozen=True)
class Options:
    """How the sampler is run, compiled and tuned; the metric is diagonal, inits are U(−2, 2) unconstrained."""

    aot: bool = option(True, "compile once, ahead of time; false: plain MCMC.run, compiled on every call")
    chain_method: Literal["vectorized", "parallel", "sequential"] = option("vectorized", "how chains share the device")
    target_accept: float = option(0.8, "target acceptance probability of step-size adaptation")
    max_tree_depth: int = option(10, "doublings of a trajectory at most")
    dense_mass: bool = option(False, "adapt a dense metric instead of a diagonal one")
    progress_bar: bool = option(False, "show NumPyro's progress bar, which needs aot=false and costs a little")


class Collected(sampler.Collected, NUTS):
    """NUTS that adapts for its own `warmup` steps."""

    def __init__(self, model: models.Model, warmup: int, **settings: Any) -> None:
        super().__init__(model, **settings)
        self.warmup = warmup


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> sampler.Program:
    """Write the sampler as a function of key and data; Unsupported for chains that need more devices."""
    model = models.model(data)

    def kernel() -> NUTS:
        return Collected(
            model,
            budget.warmup,
            target_accept_prob=options.target_accept,
            max_tree_depth=options.max_tree_depth,
            dense_mass=options.dense_mass,
        )

    return sampler.build(kernel, data, budget, options, place, longest=2**options.max_tree_depth - 1)

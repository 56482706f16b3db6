"""HMC of NumPyro, compiled ahead of time as one program of warmup and sampling that serves every rep.

A trajectory is `trajectory` long in posterior sds as the metric has learned them, times a factor drawn from
U(1 − jitter, 1 + jitter) anew for every draw of every chain, as in `torch.hmc`; it takes the least number of equal
steps no longer than the tuned one, up to `max_steps`, or to 10 until the metric is first learned. NumPyro itself has
neither factor nor limit (the track `defaults`): its 2π brings a normal posterior back to where it was. `aot=false`
calls `MCMC.run`, which compiles anew on every call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from numpyro.infer import HMC

from backends._shared import trajectories
from backends._shared.trajectories import UNLEARNED_STEPS
from backends.numpyro import models, sampler
from backends.numpyro.sampler import compile, draw, fit, resume
from bench.types import Budget, Dataset, Place, option

__all__ = ["DEFAULTS", "DEVICES", "KIND", "Options", "build", "compile", "draw", "fit", "resume"]

KIND = "mcmc"
DEVICES = ("cpu", "cuda")
DEFAULTS = {
    "aot": False, "chain_method": "sequential", "progress_bar": True,
    "trajectory": 6.283185307179586, "jitter": 0.0, "max_steps": 0,
}  # fmt: skip
"""What `MCMC(HMC(model))` does by default where there is one device."""


@dataclass(frozen=True)
class Options:
    """How the sampler is run, compiled and tuned; the metric is diagonal, inits are U(−2, 2) unconstrained."""

    aot: bool = option(True, "compile once, ahead of time; false: plain MCMC.run, compiled on every call")
    chain_method: Literal["vectorized", "parallel", "sequential"] = option("vectorized", "how chains share the device")
    target_accept: float = option(0.8, "target acceptance probability of step-size adaptation")
    trajectory: float = option(1.5708, "mean length in posterior sds; π/2 turns a normal posterior by a quarter")
    jitter: float = option(0.5, "largest deviation of a trajectory's length from its mean, as a share of it; 0: none")
    max_steps: int = option(100, "leapfrog steps of a trajectory at most; 0: no limit")
    dense_mass: bool = option(False, "adapt a dense metric instead of a diagonal one")
    progress_bar: bool = option(False, "show NumPyro's progress bar, which needs aot=false and costs a little")


class Jittered(sampler.Collected, HMC):
    """HMC that adapts for its own `warmup` steps, and whose trajectories differ in length as the options say."""

    def __init__(self, model: models.Model, warmup: int, options: Options) -> None:
        settings = {"target_accept_prob": options.target_accept, "dense_mass": options.dense_mass}
        super().__init__(model, trajectory_length=options.trajectory, **settings)
        self.warmup, self.options = warmup, options

    def sample(self, state: Any, model_args: Any, model_kwargs: Any) -> Any:
        """One transition, of a length of its own; the state keeps the mean length."""
        mean, length, options = state.trajectory_length, state.trajectory_length, self.options
        if options.jitter:
            # a key apart from those that NumPyro splits off this one
            share = jax.random.uniform(jax.random.fold_in(state.rng_key, 1), (), jnp.result_type(float), -1.0, 1.0)
            length = length * (1.0 + options.jitter * share)
        if options.max_steps:
            roots = jax.tree.leaves(state.adapt_state.mass_matrix_sqrt)
            unknown = jnp.all(
                jnp.stack([jnp.all(root == (1.0 if root.ndim < 2 else jnp.eye(len(root)))) for root in roots])
            )
            most = jnp.where(unknown, min(UNLEARNED_STEPS, options.max_steps), options.max_steps)
            length = jnp.minimum(length, (most - 1e-3) * state.adapt_state.step_size)  # NumPyro rounds the quotient up
        moved = super().sample(state._replace(trajectory_length=length), model_args, model_kwargs)
        return moved._replace(trajectory_length=mean)


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> sampler.Program:
    """Write the sampler as a function of key and data; Unsupported for trajectories without length."""
    trajectories.check(options)
    model = models.model(data)
    return sampler.build(lambda: Jittered(model, budget.warmup, options), data, budget, options, place)

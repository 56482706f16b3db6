"""Chains of PyMC's step method, driven as `pm.sample` drives them in one process, warmup and sampling timed apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
from pymc.blocking import DictToArrayBijection
from pymc.initial_point import make_initial_point_fn
from pymc.step_methods.hmc.quadpotential import QuadPotentialDiagAdapt

from bench.types import Array, Budget, Clock

Point = dict[str, Array]
TRIES = 100
"""Starts that are drawn per chain at most for one of finite density."""
STATS = ("tree_size", "diverging", "energy", "model_logp", "mean_tree_accept", "reached_max_treedepth")


@dataclass(frozen=True)
class Chain:
    """Draws {parameter: (draw, *shape)}, warmup left out, and PyMC's statistics of every step, warmup first."""

    draws: Mapping[str, Array]
    stats: Mapping[str, Array]


class Compiled:
    """What PyMC compiles of a model: the density with its gradient, the parameters at a point, a start.

    All of it is called once, since Numba compiles on a call.
    """

    def __init__(self, made: pm.Model, names: tuple[str, ...], mode: Any) -> None:
        outputs = {variable.name: variable for variable in made.unobserved_value_vars}
        self.names = names
        self.density = made.logp_dlogp_function(ravel_inputs=True, mode=mode)
        self.density.set_extra_values({})
        self.parameters: Callable[..., list[Array]] = made.compile_fn(
            [outputs[name] for name in names],
            inputs=made.value_vars,
            on_unused_input="ignore",
            point_fn=False,
            mode=mode,
        )
        self.start = make_initial_point_fn(model=made, jitter_rvs=set(made.free_RVs), return_transformed=True)
        point = self.start(0)
        with np.errstate(all="ignore"):  # the data are zeros, known errors among them
            self.log_density(point)
        self.parameters(*point.values())

    def log_density(self, point: Point) -> float:
        """The log density at a point, of the cost of a gradient."""
        return float(self.density([DictToArrayBijection.map(point).data])[0])

    def starts(self, rng: np.random.Generator, chains: int, *, uniform: bool) -> tuple[list[Point], int]:
        """A start per chain of finite density, U(−2, 2) or PyMC's own, and how many densities that took."""
        points, tried = [self._start(rng, uniform=uniform) for _ in range(chains)], chains
        for i in range(chains):
            for _ in range(TRIES):
                if np.isfinite(self.log_density(points[i])):
                    break
                points[i], tried = self._start(rng, uniform=uniform), tried + 1
        return points, tried

    def _start(self, rng: np.random.Generator, *, uniform: bool) -> Point:
        point: Point = self.start(int(rng.integers(2**30)))
        return {name: rng.uniform(-2, 2, x.shape).astype(x.dtype) for name, x in point.items()} if uniform else point


def stepper(made: pm.Model, compiled: Compiled, points: list[Point], **settings: Any) -> pm.NUTS:
    """PyMC's NUTS with the metric that `pm.sample` gives it: diagonal, at first the identity."""
    mean = np.mean([DictToArrayBijection.map(point).data for point in points], axis=0)
    metric = QuadPotentialDiagAdapt(len(mean), mean, np.ones_like(mean), 10)
    return pm.NUTS(potential=metric, model=made, initial_point=points[0], logp_dlogp_func=compiled.density, **settings)


def run(
    step: pm.NUTS, point: Point, rng: np.random.Generator, compiled: Compiled, *, budget: Budget, clock: Clock
) -> Chain:
    """One chain, its tuning begun anew."""
    stats: list[dict[str, Any]] = []
    kept: list[list[Array]] = []
    with clock("warmup"):
        step.set_rng(rng)
        step.tune = True
        step.reset_tuning()
        for _ in range(budget.warmup):
            point, found = step.step(point)
            stats += found
        step.stop_tuning()
    with clock("sample"):
        for _ in range(budget.draws):
            point, found = step.step(point)
            stats += found
            kept.append(compiled.parameters(*point.values()))
    draws = {name: np.array([values[i] for values in kept]) for i, name in enumerate(compiled.names)}
    return Chain(draws, {name: np.array([one[name] for one in stats]) for name in STATS})


def sample(
    made: pm.Model, names: tuple[str, ...], budget: Budget, *, seed: int, progress_bar: bool, **settings: Any
) -> list[Chain]:
    """`pm.sample` as most call it, but in one process, without its diagnostics and its conversion to ArviZ."""
    trace = pm.sample(
        budget.draws,
        tune=budget.warmup,
        chains=budget.chains,
        cores=1,
        random_seed=seed,
        progressbar=progress_bar,
        compute_convergence_checks=False,
        return_inferencedata=False,
        discard_tuned_samples=False,
        model=made,
        **settings,
    )
    draws = {name: trace.get_values(name, burn=budget.warmup, combine=False, squeeze=False) for name in names}
    stats = {name: trace.get_sampler_stats(name, combine=False, squeeze=False) for name in STATS}
    return [
        Chain({k: np.asarray(v[i]) for k, v in draws.items()}, {k: np.asarray(v[i]) for k, v in stats.items()})
        for i in range(budget.chains)
    ]

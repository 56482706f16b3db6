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
"""Starts that are drawn at most for one of finite density."""
STATS = ("tree_size", "diverging", "energy", "model_logp", "mean_tree_accept", "reached_max_treedepth")


@dataclass
class Compiled:
    """What PyMC compiles for a model: the density with its gradient, the parameters at a point, a start.

    All of it is called once, since Numba compiles on a call.
    """

    density: Any
    parameters: Callable[..., list[Array]]
    start: Callable[[Any], Point]

    def __init__(self, made: pm.Model, names: tuple[str, ...], mode: Any) -> None:
        self.density = made.logp_dlogp_function(ravel_inputs=True, mode=mode)
        self.density.set_extra_values({})
        outputs = {variable.name: variable for variable in made.unobserved_value_vars}
        self.parameters = made.compile_fn(
            [outputs[name] for name in names], inputs=made.value_vars, on_unused_input="ignore", point_fn=False, mode=mode
        )
        self.start = make_initial_point_fn(model=made, jitter_rvs=set(made.free_RVs), return_transformed=True)
        point = self.start(0)
        with np.errstate(all="ignore"):  # the data are zeros, and so may be known errors
            self.density([DictToArrayBijection.map(point).data])
        self.parameters(*point.values())


@dataclass(frozen=True)
class Chain:
    """Draws {parameter: (draw, *shape)}, and PyMC's statistics of every step, warmup first."""

    draws: Mapping[str, Array]
    stats: Mapping[str, Array]


def starts(compiled: Compiled, rng: np.random.Generator, chains: int, *, uniform: bool) -> tuple[list[Point], int]:
    """A start per chain of finite density: U(−2, 2), or PyMC's own; and how many densities that took."""
    points: list[Point] = []
    for tried in range(chains * TRIES):
        point = compiled.start(int(rng.integers(2**30)))
        if uniform:
            point = {name: rng.uniform(-2, 2, x.shape).astype(x.dtype) for name, x in point.items()}
        if np.isfinite(compiled.density([DictToArrayBijection.map(point).data])[0]):
            points.append(point)
        if len(points) == chains:
            break
    return points, tried + 1


def stepper(made: pm.Model, compiled: Compiled, points: list[Point], **settings: Any) -> pm.NUTS:
    """PyMC's NUTS with its own diagonal metric, as `pm.init_nuts` makes it of starts: adapted from 1 on."""
    mean = np.mean([DictToArrayBijection.map(point).data for point in points], axis=0)
    potential = QuadPotentialDiagAdapt(len(mean), mean, np.ones_like(mean), 10)
    return pm.NUTS(
        potential=potential, model=made, initial_point=points[0], logp_dlogp_func=compiled.density, **settings
    )


def run(step: pm.NUTS, point: Point, rng: np.random.Generator, compiled: Compiled, *, names: tuple[str, ...], budget: Budget, clock: Clock) -> Chain:
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
    draws = {name: np.array([values[i] for values in kept], np.float64) for i, name in enumerate(names)}
    return Chain(draws, {name: np.array([one[name] for one in stats]) for name in STATS})

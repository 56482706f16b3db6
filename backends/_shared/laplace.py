"""Laplace's approximation in NumPy: the last steps to the mode, the Gaussian there, its draws and moments.

A framework finds the mode nearly, and gives density, gradient and precision (minus the Hessian) on the unconstrained
scale. Newton's steps then make sure that it is a mode; where it is none, the fit ends as diverged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_solve, solve_triangular

from backends._shared import moments, point
from bench.data import family
from bench.types import Array, Budget, Clock, Dataset, Diverged, Estimate, Fit, Place

DRAWS = 4000
MOMENT_DRAWS = 100_000
"""Draws behind the moments of what depends on several unconstrained scalars, outside of the clock."""
NEWTON_STEPS, HALVINGS = 20, 30
NEGLIGIBLE = {"float64": 1e-10, "float32": 1e-4}
"""Nats that Newton's next step would gain at a mode, by dtype: the square of a distance in posterior sds, halved."""


class Program(NamedTuple):
    """What `fit` needs beside the data."""

    options: Any
    steps: int
    place: Place


class Target(NamedTuple):
    """Log density with gradient, and precision, at an unconstrained vector."""

    density: Callable[[Array], tuple[float, Array]]
    precision: Callable[[Array], Array]


class Gaussian(NamedTuple):
    """Mode, and the lower triangle L of the precision L·Lᵀ."""

    loc: Array
    root: Array

    @property
    def scale(self) -> Array:
        """Standard deviations."""
        return np.sqrt(np.square(solve_triangular(self.root, np.eye(len(self.loc)), lower=True)).sum(0))

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Independent draws (n, dim) and their log densities (n,)."""
        standard = rng.standard_normal((n, len(self.loc)))
        z = self.loc + solve_triangular(self.root.T, standard.T, lower=False).T
        constant = np.log(np.diag(self.root)).sum() - 0.5 * len(self.loc) * math.log(2 * math.pi)
        return z, constant - 0.5 * np.square(standard).sum(-1)


class State(NamedTuple):
    """q, draws z of it with its log density there, and the cost."""

    data: Dataset
    q: Gaussian
    z: Array
    log_q: Array
    stats: dict[str, Any]


def build(data: Dataset, budget: Budget, options: Any, place: Place) -> Program:
    """Nothing to compile."""
    return Program(options, budget.steps, place)


def start(data: Dataset, seed: int) -> Array:
    """The scenario's start, or U(−2, 2), on the unconstrained scale."""
    fam = family(data.family)
    return fam.unconstrain(data, fam.from_sites(data, point.start(data, seed)))


def look(data: Dataset, z: Array, value: float) -> Estimate:
    """The point reached, before there is a q; Diverged if it is not finite."""
    if not (np.isfinite(z).all() and np.isfinite(value)):
        raise Diverged(f"the search for the mode is where the log density is {value:g}")
    return Estimate(family(data.family).constrain(data, z), objective=-value)


def settle(target: Target, z: Array, dtype: str) -> tuple[Gaussian, int]:
    """The mode next to z by Newton's method, and steps; Diverged where the density does not curve down on all sides."""
    value, slope = target.density(z)
    for step in range(NEWTON_STEPS):
        root = _root(target.precision(z))
        move = cho_solve((root, True), slope)
        gain = 0.5 * float(slope @ move)
        if gain < NEGLIGIBLE[dtype]:
            return Gaussian(z, root), step
        for halving in range(HALVINGS):
            at = z + move * 0.5**halving
            there, slope = target.density(at)
            if there > value - NEGLIGIBLE[dtype]:
                break
        z, value = at, there
    raise Diverged(f"no mode: after {NEWTON_STEPS} steps of Newton's method another would still gain {gain:.2g} nats")


def _root(precision: Array) -> Array:
    """Its Cholesky factor; Diverged where there is none."""
    precision = 0.5 * (precision + precision.T)
    curvatures = np.linalg.eigvalsh(precision) if np.isfinite(precision).all() else np.array([np.nan])
    if not curvatures[0] > 0.0:
        raise Diverged(
            "the search ended at no mode: the Hessian of the negative log density is not positive definite there, its "
            f"least eigenvalue is {curvatures[0]:.3g}; so there is no Laplace approximation, or it needs more steps"
        )
    return np.linalg.cholesky(precision)


def finish(data: Dataset, q: Gaussian, seed: int, clock: Clock, stats: dict[str, Any]) -> State:
    """Draw from q."""
    with clock("sample"):
        z, log_q = q.sample(DRAWS, np.random.default_rng(seed))
    return State(data, q, z, log_q, stats)


def draw(state: State) -> Fit:
    """4000 independent draws of q as one chain with their log density, and its moments."""
    data, q, rng = state.data, state.q, np.random.default_rng(0)
    draws = family(data.family).constrain(data, state.z)
    mean, sd = moments.of(q.loc, q.scale, lambda n: q.sample(n, rng)[0], data, MOMENT_DRAWS)
    stats = {**state.stats, "log_q": state.log_q[None]}
    of_q = {name: (mean[name], sd[name]) for name in draws}
    return Fit("vi", {name: value[None] for name, value in draws.items()}, stats=stats, moments=of_q)

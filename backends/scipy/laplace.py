"""Laplace's approximation: SciPy's L-BFGS-B to the mode, and a Gaussian of the Hessian there by differences of slopes.

The density is the family's own in float64 NumPy, the one that others are held against, so there is none of its own to
verify: of these rows only the search and the approximation are a contender's. Counted are all evaluations, two for each
row of a Hessian among them. A posterior that is not curved downwards at its mode on all sides ends as diverged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from backends._shared import laplace
from backends._shared.laplace import build, draw
from bench.data import family
from bench.types import Array, Clock, Dataset

__all__ = ["FAMILIES", "KIND", "Options", "build", "draw", "fit"]

KIND = "vi"
FAMILIES = (
    "linear", "two_groups", "logistic", "robust", "binomial", "poisson", "negative_binomial", "gamma", "eight_schools",
    "varying_intercept", "grouped_regression",
)  # fmt: skip
STEP = 6e-6
"""Relative step of a central difference: the cube root of float64's epsilon."""
FAR = 1e20
"""What the line search is told of a point without a density: it takes numbers only."""
HISTORY = 20
"""Pairs of steps and changes of slope that stand for the Hessian."""


@dataclass(frozen=True)
class Options:
    """Nothing to set: L-BFGS-B, from the scenario's start."""


def fit(program: laplace.Program, data: Dataset, seed: int, clock: Clock) -> laplace.State:
    """Find the mode, then draw from the Gaussian there; Diverged where there is no mode."""
    fam, hessians, evaluations = family(data.family), 0, 0
    best, highest = laplace.start(data, seed), -np.inf

    def density(z: Array) -> tuple[float, Array]:
        nonlocal evaluations
        value, slope = fam.log_density(data, z)
        evaluations += 1
        return float(value), slope

    def loss(z: Array) -> tuple[float, Array]:
        nonlocal best, highest
        value, slope = density(z)
        usable = bool(np.isfinite(value) and np.isfinite(slope).all())
        if usable and value > highest:
            best, highest = z.copy(), value
        clock.checkpoint(evaluations, lambda: laplace.look(data, best, highest))
        return (-value, -slope) if usable else (FAR, np.zeros_like(z))

    def precision(z: Array) -> Array:
        nonlocal hessians
        hessians += 1
        steps = STEP * np.maximum(1.0, np.abs(z))
        up, down = (
            np.stack([fam.log_density(data, z + sign * move)[1] for move in np.diag(steps)]) for sign in (1, -1)
        )
        return (down - up) / (2.0 * steps[:, None])

    with clock("sample"), np.errstate(all="ignore"):  # what is not finite is told the line search
        options = {"maxiter": program.steps, "maxfun": 20 * program.steps, "maxcor": HISTORY, "ftol": 0.0, "gtol": 1e-8}
        minimize(loss, best, jac=True, method="L-BFGS-B", options=options)
        found = evaluations
        q, newton = laplace.settle(laplace.Target(density, precision), best, "float64")
    gradients = evaluations + 2 * data.dim * hessians
    stats = {"steps": found + newton, "gradients": gradients, "hessians": hessians}
    return laplace.finish(data, q, seed, clock, stats)

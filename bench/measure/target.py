"""Whether a fit was of the data and the model it was given, by the log density that it states of its own draws."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from bench.data import family
from bench.protocols import Family
from bench.types import Array, Dataset, DType, Fit, derive_seed

GATES: Mapping[DType, float] = {"float64": 1e-9, "float32": 1e-5}
"""The largest relative error of a density that is taken for the same."""
UNIT: Mapping[DType, float] = {"float64": 2.0**-53, "float32": 2.0**-24}
"""Unit roundoff: half a unit in the last place."""
DRAWS, FEWEST = 64, 8
"""How many draws are looked at, evenly over all chains; at least so many of data so large that 64 would take long."""
PERTURBATIONS, STEP = 4, 1e-7
"""How often data and draws are moved to see how far rounding may move the density, and by which relative step: far
above float64 rounding, far below any curvature."""
ROUGH = 10.0
"""How many times more what cancels inside a density (log Γ(x + ½) − log Γ(x)) may be off: verify can measure that, at
neighbours of its points; NumPyro's Student's t in float32 was off by a sixth of what is allowed without it."""
LARGE, CHUNK = 2_000_000, 200_000
"""Observations × draws that are looked at in all, and at once: little beside what a fit itself needs."""


def roundings(terms: int) -> float:
    """How many roundings of everything that enters an honest sum of so many terms may differ by: 16 + 2√terms.

    The error of a sum in the order a loop takes grows like √n (Higham & Mary 2019, SIAM J. Sci. Comput. 41:A2815).
    """
    return 16.0 + 2.0 * math.sqrt(terms)


def complaint(fit: Fit, data: Dataset, dtype: DType) -> str:
    """One sentence where `log_density` among the statistics is not the family's at the draws; empty where it is."""
    off, allowed = difference(fit, data, dtype)
    if off <= allowed:
        return ""
    return (
        "wrong target: the log density that the method states of its draws differs from the model's by "
        f"{off:.2g} nats from one draw to another, where rounding explains {allowed:.1g}"
    )


def difference(fit: Fit, data: Dataset, dtype: DType) -> tuple[float, float]:
    """By how many nats `log_density` is off at the worst draw, and how many are allowed there; (0, 0): nothing to say.

    Both are centred, for a constant makes no difference. Allowed is the relative error that `bench verify` allows, and
    what rounding may do: 10·k·u·(1 + condition) with k = `roundings`, u the unit roundoff, and the condition as in
    `bench.verify.expected`, but of the draws' own relative rounding, since those are what a fit hands over. Draws on a
    bound of their support say nothing, nor does a single other one.
    """
    fam = family(data.family)
    if "log_density" not in fit.stats or fam.OPAQUE:
        return 0.0, 0.0
    count = fit.stats["log_density"].size
    looked_at = np.unique(np.linspace(0, count - 1, max(FEWEST, min(DRAWS, LARGE // data.rows))).astype(int))
    stated = np.asarray(fit.stats["log_density"], np.float64).ravel()[looked_at]
    draws = {k: np.asarray(v, np.float64).reshape(count, *v.shape[2:])[looked_at] for k, v in fit.draws.items()}
    with np.errstate(all="ignore"):  # a draw on a bound has no logarithm
        value, terms = _density(data, fam, draws), absolute_terms(data, fam, draws)
        moved = [_density(other, fam, at) for other, at in _perturbed(data, draws)]
        condition = 1.0 + np.sqrt(np.mean([(m - value) ** 2 for m in moved], axis=0)) / STEP + np.abs(value) + terms
    inside = np.isfinite(value) & np.isfinite(condition)
    if inside.sum() < 2:
        return 0.0, 0.0
    stated, value, condition = stated[inside], value[inside], condition[inside]
    weights = (condition.min() / condition) ** 2
    off, centred = ((x - np.average(x, weights=weights)) for x in (stated - value, value))
    rounding = ROUGH * roundings(data.rows + data.dim) * UNIT[dtype] * condition
    allowed = GATES[dtype] * np.abs(centred) + rounding + rounding.min()  # the last is of the centre itself
    worst = int(np.argmax(np.abs(off) / allowed))
    return abs(float(off[worst])), float(allowed[worst])


def _perturbed(data: Dataset, draws: Mapping[str, Array]) -> Iterator[tuple[Dataset, dict[str, Array]]]:
    """Data and draws moved at random."""
    rng = np.random.default_rng(derive_seed(0, "target", "perturb"))
    for _ in range(PERTURBATIONS):
        yield perturbed(data, rng), {name: _moved(x, rng) for name, x in draws.items()}


def perturbed(data: Dataset, rng: np.random.Generator) -> Dataset:
    """Data moved at random; whole numbers are exact in any precision (counts, labels, indices) and stay."""
    moved = {name: x if np.array_equal(x, np.rint(x)) else _moved(x, rng) for name, x in data.arrays.items()}
    return replace(data, arrays=moved)


def _moved(x: Array, rng: np.random.Generator) -> Array:
    return np.asarray(x * (1.0 + STEP * rng.choice([-1.0, 1.0], x.shape)))


def _pieces(data: Dataset, draws: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    count, step = len(next(iter(draws.values()))), max(1, CHUNK // data.rows)
    return ({name: x[at : at + step] for name, x in draws.items()} for at in range(0, count, step))


def _density(data: Dataset, fam: Family, draws: Mapping[str, Array]) -> Array:
    """The family's log density (m,) at draws {name: (m, *shape)}; NaN where one lies on a bound."""
    return np.concatenate([_finite_density(data, fam, fam.unconstrain(data, part)) for part in _pieces(data, draws)])


def _finite_density(data: Dataset, fam: Family, z: Array) -> Array:
    value, finite = np.full(len(z), np.nan), np.isfinite(z).all(axis=-1)
    if finite.any():
        value[finite] = fam.log_density(data, z[finite])[0]
    return value


def absolute_terms(data: Dataset, fam: Family, draws: Mapping[str, Array]) -> Array:
    """Σ_i |log p(y_i | draw)|, (m,): terms are rounded before they cancel."""
    parts = (fam.log_likelihood(data, part, data.arrays) for part in _pieces(data, draws))
    return np.concatenate([np.abs(part).sum(axis=-1) for part in parts])

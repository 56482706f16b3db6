"""Predictions on hold-out rows: density, errors, and how well the predictive distribution is calibrated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from bench.score import chains
from bench.score.problem import Problem, Row, Scored
from bench.types import Array, Arrays

Cdf = Callable[[Array], Array]

EVALUATIONS, EVALUATIONS_CRPS = 4_000_000, 1_500_000
"""Densities or distribution functions that a score may take, about a tenth of a second: all draws where they suffice,
else draws that are thinned evenly, whose own Monte-Carlo error is stated."""
MOST, LEAST, MOST_REACH = 2000, 50, 10
"""Draws of a predictive quantile at most, of the CRPS at least, and to see how far to integrate."""
COVERAGES = (0.5, 0.9, 0.95)
TAIL = 1e-4
"""Where the integral of the CRPS is cut: what is left out is of the order of TAIL²."""
NODES, WEIGHTS = np.polynomial.legendre.leggauss(32)
WIDEST = 10_000
"""Integers between the cuts beyond which a discrete CRPS is not summed."""


def predictive_rows(scored: Scored) -> Iterator[Row]:
    """Scores on the hold-out rows, and on those outside the training range against the noiseless truth."""
    holdout = scored.problem.data.holdout
    if "y" in holdout:
        inside = {k: v for k, v in holdout.items() if not k.endswith("_outside")}
        yield from _errors(scored, inside, "")
        if scored.fit.kind != "point":
            yield from _density(scored, inside)
            yield from _calibration(scored, inside)
    if "y_outside" in holdout:
        outside = {k.removesuffix("_outside"): v for k, v in holdout.items() if k.endswith("_outside")}
        yield from _errors(scored, outside, "_outside")


def _errors(scored: Scored, rows: Arrays, suffix: str) -> Iterator[Row]:
    """Of the mean over draws of the expected observation."""
    error = predictive_mean(scored.problem, _affordable(scored, rows), rows) - rows["y"]
    mse = float(np.mean(error**2))
    yield Row(f"predictive_mae{suffix}", "", float(np.abs(error).mean()))
    yield Row(f"predictive_mse{suffix}", "", mse)
    yield Row(f"predictive_rmse{suffix}", "", float(np.sqrt(mse)))
    variance = float(np.var(rows["y"]))
    if variance > 0.0:
        yield Row(f"predictive_r2{suffix}", "", 1.0 - mse / variance)


def _density(scored: Scored, rows: Arrays) -> Iterator[Row]:
    log_p = scored.problem.family.log_likelihood(scored.problem.data, _affordable(scored, rows), rows)
    top = log_p.max(axis=(0, 1))
    top = np.where(np.isfinite(top), top, 0.0)  # densities are held relative to the largest, as exp would underflow
    p = np.exp(log_p - top)
    mean = p.mean(axis=(0, 1))
    with np.errstate(all="ignore"):  # an observation may be impossible
        # elpd = Σ_i log mean_s p_is moves by the mean over draws of Σ_i p_is / mean_s p_is, to first order
        pointwise, influence = np.log(mean) + top, p @ (1.0 / mean)
        error, own_error = np.sqrt(len(pointwise) * pointwise.var()), influence.std()
    yield Row("elpd", "", float(pointwise.sum()))
    yield Row("elpd_se", "", float(error))
    yield Row("elpd_mcse", "", float(own_error / np.sqrt(_effective(scored, influence))))


def _calibration(scored: Scored, rows: Arrays) -> Iterator[Row]:
    """Coverage by the probability integral transform, and the CRPS."""
    discrete, y = scored.problem.family.discrete(scored.problem.data), np.asarray(rows["y"], dtype=float)
    cdf = mixture_cdf(scored.problem, _affordable(scored, rows), rows)
    below = cdf(y)
    before = cdf(y - 1.0) if discrete else None
    for share in COVERAGES:
        yield Row(f"predictive_coverage_{share * 100:.0f}", "", float(covered(below, before, share).mean()))
    fewer = mixture_cdf(scored.problem, thinned(scored, MOST_REACH), rows)
    values = thinned(scored, max(LEAST, EVALUATIONS_CRPS // (2 * len(NODES) * len(y))))
    mixed = (discrete_crps if discrete else continuous_crps)(each_cdf(scored.problem, values, rows), y, fewer)
    if mixed is not None:
        effective = _effective(scored, mixed.influence.reshape(np.shape(next(iter(values.values())))[:2]))
        yield Row("predictive_crps", "", float((mixed.score - mixed.variance / effective).mean()))
        yield Row("predictive_crps_mcse", "", float(mixed.influence.std() / np.sqrt(effective)))


def _affordable(scored: Scored, rows: Arrays) -> dict[str, Array]:
    """All draws, or as many as can be evaluated at these rows."""
    return thinned(scored, max(LEAST, EVALUATIONS // len(rows["y"])))


def _effective(scored: Scored, values: Array) -> float:
    """How many independent draws the mean of these values (chain, draw) is worth, at most as many as there are."""
    if scored.fit.kind != "mcmc" or values.shape[1] < chains.MIN_DRAWS or np.ptp(values) == 0.0:
        return float(values.size)
    ess = float(chains.Diagnostics(values[..., None]).ess_mean[0])
    return min(max(ess, 1.0), values.size) if np.isfinite(ess) else 1.0


class Mixed(NamedTuple):
    """The CRPS of a mixture of S draws: its `score` at each of n observations, and what its Monte-Carlo error is from.

    The score exceeds that of all draws by `variance` (n,) over the number of independent draws, on average; `influence`
    (S,) is how the mean score moves with each draw, to first order.
    """

    score: Array
    variance: Array
    influence: Array


def each_cdf(problem: Problem, draws: Arrays, rows: Arrays) -> Cdf:
    """P(Y_i ≤ y_i) given each draw {name: (…, *shape)}, as a function of y (n,): (S, n)."""

    pointwise = _pointwise(problem, draws, rows)
    return lambda y: pointwise(y).reshape(-1, len(y))


def mixture_cdf(problem: Problem, draws: Arrays, rows: Arrays) -> Cdf:
    """P(Y_i ≤ y_i), the mixture over draws {name: (…, *shape)}, as a function of y (n,)."""

    pointwise = _pointwise(problem, draws, rows)
    return lambda y: _mean_over_draws(pointwise(y))


def _pointwise(problem: Problem, draws: Arrays, rows: Arrays) -> Cdf:
    """P(Y_i ≤ y_i | draw) as a function of y (n,): (…, n).

    By the family's `observation_cdfs` where it has that, unless a class below the one that has it says otherwise.
    """
    family = problem.family
    owners = {name: one for one in reversed(type(family).__mro__) for name in vars(one)}
    prepared, plain = owners.get("observation_cdfs"), owners.get("observation_cdf", object)
    if prepared is not None and issubclass(prepared, plain):
        return cast(Cdf, family.observation_cdfs(problem.data, draws, rows))  # type: ignore[attr-defined]
    return lambda y: family.observation_cdf(problem.data, draws, {**rows, "y": y})


def predictive_mean(problem: Problem, draws: Arrays, rows: Arrays) -> Array:
    """Mean over draws {name: (…, *shape)} of the expected observation at the inputs of n rows: (n,)."""
    return _mean_over_draws(problem.family.predict(problem.data, draws, rows))


def _mean_over_draws(values: Array) -> Array:
    """(…, n) → (n,)."""
    return np.asarray(values.reshape(-1, values.shape[-1]).mean(axis=0))


def covered(below: Array, before: Array | None, share: float) -> Array:
    """Whether each observation lies in its central predictive interval, by P(Y ≤ y): (n,) of 0 and 1.

    With P(Y < y) of discrete observations given, the probability that the randomised transform, uniform between the
    two, does (Czado, Gneiting & Held 2009, doi:10.1111/j.1541-0420.2009.01191.x): its mean is `share` if calibrated.
    """
    low, high = (1.0 - share) / 2.0, (1.0 + share) / 2.0
    if before is None:
        return ((below >= low) & (below <= high)).astype(float)
    width = below - before
    overlap = np.maximum(np.minimum(below, high) - np.maximum(before, low), 0.0)
    return np.asarray(np.divide(overlap, width, out=np.zeros_like(width), where=width > 0.0))


def continuous_crps(cdf: Cdf, y: Array, like: Cdf) -> Mixed:
    """∫ (F(t) − 1[t ≥ y])² dt for each observation (n,), Gauss–Legendre in √|t − y| on either side of y.

    F is the mean over S draws of `cdf`, (S, n). The root puts nodes where a heavy tail leaves the mass: errors stay
    below 0.5 % from Student's t with 2 degrees up. `like` is a cheaper F, (n,), to see where the tails end.
    """

    def terms() -> Iterator[tuple[Array, Array]]:
        for sign in (-1.0, 1.0):
            reach = _reach(like, y, sign)
            for node, weight in zip(NODES, WEIGHTS, strict=True):
                root = 0.5 * (1.0 + node)
                yield reach * root * weight, cdf(y + sign * reach * root**2) - (sign > 0.0)

    return _mixed(terms())


def discrete_crps(cdf: Cdf, y: Array, like: Cdf) -> Mixed | None:
    """Σ_k (F(k) − 1[k ≥ y])² over the integers, for each observation (n,); of a binary one the Brier score.

    F and `like` as of `continuous_crps`. None where the predictive distribution spreads over more integers than are
    worth summing.
    """
    low, high = (y + sign * np.ceil(_reach(like, y, sign, least=1.0)) for sign in (-1.0, 1.0))
    first, last = float(low.min()), float(high.max())
    if last - first > WIDEST:
        return None
    ones = np.ones_like(y)
    return _mixed((ones, cdf(np.full_like(y, k)) - (k >= y)) for k in np.arange(first, last + 1.0))


def _mixed(terms: Iterable[tuple[Array, Array]]) -> Mixed:
    """Σ weight (mean_s difference)² over terms of weights (n,) and differences F_s − 1[…] (S, n)."""
    score = variance = influence = np.zeros(1)
    for weight, each in terms:
        mean = each.mean(axis=0)
        each = each - mean
        score = score + weight * mean**2
        variance = variance + weight * np.einsum("sn,sn->n", each, each) / max(len(each) - 1, 1)
        influence = influence + each @ (2.0 * weight * mean) / len(mean)
    return Mixed(score, variance, influence)


def _reach(cdf: Cdf, y: Array, sign: float, least: float = 0.0) -> Array:
    """A distance from y to that side within 7 % beyond where the tail falls below TAIL, (n,)."""

    def beyond(distance: Array) -> npt.NDArray[np.bool_]:
        below = cdf(y + sign * distance)
        return (below if sign < 0.0 else 1.0 - below) < TAIL

    distance = np.maximum(1.0, np.abs(y))
    for _ in range(200):
        short = ~beyond(distance)
        if not short.any():
            break
        distance = np.where(short, 2.0 * distance, distance)
    for _ in range(60):  # an observation far out in the tail itself has nothing to integrate on that side
        wide = beyond(0.5 * distance) & (distance > least)
        if not wide.any():
            break
        distance = np.where(wide, 0.5 * distance, distance)
    low = 0.5 * distance  # not beyond, or not worth the trouble
    for _ in range(3):
        middle = 0.5 * (low + distance)
        wide = beyond(middle)
        low, distance = np.where(wide, low, middle), np.where(wide, middle, distance)
    return np.maximum(distance, least)


def thinned(scored: Scored, most: int = MOST) -> dict[str, Array]:
    """At most about `most` draws, evenly spread."""
    step = max(1, scored.draws.shape[0] * scored.draws.shape[1] // most)
    return {name: np.asarray(array)[:, ::step] for name, array in scored.fit.draws.items()}

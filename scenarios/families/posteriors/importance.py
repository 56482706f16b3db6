"""A reference by importance sampling from multivariate t about the posterior's modes, fitted by pilots."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bench.errors import NoReference
from bench.stats import pareto
from bench.types import Array, Dataset
from scenarios.families.common import priors, transforms
from scenarios.families.posteriors import modes
from scenarios.families.posteriors.student_mixtures import StudentMixture
from scenarios.families.posteriors.weighted import WeightedPosterior, summarise

Density = Callable[[Dataset, Array], tuple[Array, Array]]
Constrain = Callable[[Dataset, Array], dict[str, Array]]

TAILS = (5.0, 3.0, 10.0, 20.0, 40.0)
"""Degrees of freedom tried, the pilots' first: weights stay bounded under any posterior of lighter tails than the
proposal, so the heaviest explores; light ones waste fewer draws in many dimensions, where a t is far from a normal."""
PILOTS = 3
EM_STEPS = 3
PILOT = 10_000
"""Draws of a pilot. They are discarded: the draws that are kept took no part in fitting their proposal."""
WANTED = 60_000.0
"""Effective draws aimed at: a standard error of 0.4 % of a posterior sd."""
NEEDED = 10_000.0
"""Effective draws below which a reference certifies too little to judge by."""
HEAVIEST = 1.0 / 3.0
"""Shape of a marginal's tail from which there is no reference: moments exist below its inverse, b² needs four of them,
and the estimate errs by 0.05."""
MOST = 1_000_000
MOST_NUMBERS = 10_000_000
"""Draws × parameters held at once, a few times over: 80 MB of float64 each."""
WORK = 4e9
"""Observations × draws one reference may evaluate: a few minutes."""


class Untrusted(NoReference):
    """Importance sampling was tried and is not to be trusted here; costly to find out."""

    costly = True


class Weighted(NamedTuple):
    """Draws (n, dim) with their log weights (n,)."""

    z: Array
    log_weights: Array


def posterior(
    data: Dataset,
    density: Density,
    constrain: Constrain,
    start: Array,
    *,
    skew: Sequence[int] = (),
    seed: int | None = None,
) -> WeightedPosterior:
    """The posterior of a family by its `density` and `constrain`, modes looked for from `start` (dim,) and about 0.

    Along coordinates that are `skew` the pilots begin with more than a t per mode. NoReference where k-hat, of the
    weights or of what they are to average, is 0.7 or more, or the draws are worth too little. Without a seed, one is
    made of the data: one data set has one reference.
    """
    n_obs = max((len(a) for a in data.arrays.values() if a.ndim), default=1)
    most = min(MOST, int(WORK / n_obs), MOST_NUMBERS // max(data.dim, 1))
    if most < 2 * NEEDED:
        raise NoReference(f"{n_obs} observations of {data.dim} parameters are too many for importance sampling")
    rng = np.random.default_rng(_seed(data) if seed is None else seed)

    def weigh(proposal: StudentMixture, n: int) -> Weighted:
        z = proposal.draw(n, rng)
        with np.errstate(over="ignore", invalid="ignore"):  # a draw far out may leave the finite numbers: weight 0
            log_ratio = density(data, z)[0] - proposal.log_density(z)
        return Weighted(z, np.where(np.isfinite(log_ratio), log_ratio, -np.inf))

    maxima = modes.find(lambda z: density(data, z), modes.starts(start))
    pilot = PILOT + 200 * data.dim
    proposal = _fitted(_about(maxima, skew), weigh, pilot)
    proposal, cost = _tailored(proposal, weigh(proposal, pilot), lambda z: _values(data, constrain, z))
    n = int(min(most, max(WANTED * cost, NEEDED)))
    state = _state(data, constrain, weigh(proposal, n), len(maxima), rng)
    if (worth := float(state["n_effective"])) < NEEDED < worth * most / n:  # the pilot did not see what costs
        state = _state(data, constrain, weigh(proposal, int(min(most, 3.0 * n * NEEDED / worth))), len(maxima), rng)
    _refuse_worthless(state)
    _refuse_momentless(data, state)
    return WeightedPosterior(data, state)


def _seed(data: Dataset) -> int:
    hashed = hashlib.sha256(repr((data.family, data.parameters, sorted(data.priors.items()))).encode())
    for name in sorted(data.arrays):
        hashed.update(np.ascontiguousarray(data.arrays[name]).tobytes())
    return int.from_bytes(hashed.digest()[:8], "big")


def _about(maxima: list[modes.Mode], skew: Sequence[int]) -> StudentMixture:
    """A t at every mode with its curvature, by its Laplace mass, yet none so light that a pilot could miss it.

    And lighter ones two standard deviations of every `skew` coordinate away, to either side.
    """
    masses = np.exp(np.array([m.log_mass for m in maxima]) - max(m.log_mass for m in maxima))
    masses = np.maximum(masses / masses.sum(), 0.1 / len(maxima))
    centres, factors = (
        [m.at for m in maxima],
        [np.linalg.cholesky(0.5 * (m.covariance + m.covariance.T)) for m in maxima],
    )
    shares = list(masses / masses.sum())
    for mode, factor, share in list(zip(maxima, factors, shares, strict=True)):
        for k in skew:
            deviation = mode.covariance[k] / math.sqrt(mode.covariance[k, k])
            for step in (-4.0, -2.0, 2.0):
                centres.append(mode.at + step * deviation)
                factors.append(factor)
                shares.append(0.1 * share)
    return StudentMixture(np.array(shares) / sum(shares), np.stack(centres), np.stack(factors), TAILS[0])


def _fitted(proposal: StudentMixture, weigh: Callable[[StudentMixture, int], Weighted], n: int) -> StudentMixture:
    """The proposal after fits to pilots of n draws."""
    for _ in range(PILOTS):
        z, logs = weigh(proposal, n)
        weights = np.exp(pareto.smooth(_finite(logs)).log_weights)
        proposal = proposal.fitted(z, weights, proposal.df)
    return proposal


def _tailored(
    proposal: StudentMixture, pilot: Weighted, values: Callable[[Array], Array]
) -> tuple[StudentMixture, float]:
    """The proposal at the best of TAILS, and how many of its draws are worth one independent draw of the posterior.

    For the worst f of parameters and centred squares: draws per effective draw are E_q[(p/q)²(f − Ef)²]/Var f
    = E_p[(p/q)(f − Ef)²]/Var f, so that draws of one proposal tell of another.
    """
    z, logs = pilot
    smoothed = pareto.smooth(_finite(logs)).log_weights
    weights, target = np.exp(smoothed), logs + proposal.log_density(z)
    log_evidence = pareto.log_sum_exp(_finite(logs)) - math.log(len(z))
    theta = values(z)
    squares = np.square(theta - weights @ theta)
    errors = np.hstack([squares, np.square(squares - weights @ squares)])
    best, least = proposal, math.inf
    for df in TAILS:
        tried = proposal
        for _ in range(EM_STEPS):
            tried = tried.fitted(z, weights, df)
        ratio = np.exp(np.minimum(_finite(target) - tried.log_density(z) - log_evidence, 300.0))
        cost = float(((weights * ratio) @ errors / (weights @ errors)).max())
        if cost < least:
            best, least = tried, cost
    return best, max(least, 1.0)


def _values(data: Dataset, constrain: Constrain, z: Array) -> Array:
    """All scalars of the parameters, (n, scalar); 0 where z lies so far out that one is not finite."""
    with np.errstate(over="ignore"):
        values = transforms.flatten(data.parameters, constrain(data, z))
    return np.asarray(np.where(np.isfinite(values).all(axis=1, keepdims=True), values, 0.0))


def _finite(log_weights: Array) -> Array:
    """Log weights with −∞ raised to what still weighs nothing; Untrusted when none is finite."""
    if not np.isfinite(log_weights).any():
        raise Untrusted("importance sampling found no point of positive density: no reference")
    return np.asarray(np.maximum(log_weights, log_weights.max() - 1e4))


def _state(
    data: Dataset, constrain: Constrain, drawn: Weighted, n_modes: int, rng: np.random.Generator
) -> dict[str, Array]:
    """What `WeightedPosterior` is made of; Untrusted where k-hat forbids it."""
    raw = _finite(drawn.log_weights)
    n, smoothed = len(raw), pareto.smooth(raw)
    _refuse_heavy(smoothed.k_hat)
    values = _values(data, constrain, drawn.z)
    weights = np.exp(smoothed.log_weights)
    state = summarise(values, weights, rng)
    worth = float(state["n_effective"])
    relative = math.sqrt(max(float(np.square(weights).sum()) - 1.0 / n, 0.0))
    method = (
        f"importance sampling, {n} draws of a multivariate t at {n_modes} mode{'s' if n_modes > 1 else ''}: k-hat "
        f"{smoothed.k_hat:.2f}, worth {worth:.0f} independent draws, so means are known to {1 / math.sqrt(worth):.4f} "
        f"sd or better and the log evidence to {relative:.4f}"
    )
    # Smoothing leaves the lightest weight as it was, so it carries the normaliser of all.
    lightest = int(np.argmin(raw))
    log_evidence = raw[lightest] - smoothed.log_weights[lightest] - math.log(n)
    numbers = {"n_draws": n, "k_hat": smoothed.k_hat, "log_evidence": log_evidence, "log_evidence_se": relative}
    return {**state, **{k: np.array(v) for k, v in numbers.items()}, "method": np.array(method)}


def _refuse_heavy(k_hat: float) -> None:
    if not k_hat < pareto.USABLE:
        raise Untrusted(f"importance sampling fails: k-hat is {k_hat:.2f}, not below {pareto.USABLE}")


def _refuse_worthless(state: Mapping[str, Array]) -> None:
    worth, k_hat = float(state["n_effective"]), float(state["k_hat"])
    if not worth >= NEEDED:
        drawn = f"{int(state['n_draws'])} draws are worth {worth:.0f}, below {NEEDED:.0f} (k-hat {k_hat:.2f})"
        raise Untrusted(f"importance sampling: {drawn}")


def _refuse_momentless(data: Dataset, state: Mapping[str, Array]) -> None:
    """Untrusted where a tail of the posterior itself is too heavy for b², which divides by Var[(θ − Eθ)²].

    Asked of parameters whose own prior has no four moments: the likelihoods are bounded, so the posterior has at least
    the moments of its prior.
    """
    with np.errstate(divide="ignore"):  # a draw at the mean itself
        distances = np.log(np.abs(state["draws"] - state["mean"]))
    parts = [(p.name, part) for p in data.parameters for part in p.parts()]
    for (name, part), distance in zip(parts, distances.T, strict=True):
        if name in data.priors and priors.moments(data.priors[name]) > 4.0:
            continue
        k_hat = pareto.smooth(_finite(distance)).k_hat
        if not k_hat < HEAVIEST:
            raise Untrusted(
                f"the posterior of {part} is so heavy-tailed (tail index 1/{k_hat:.2f}) that its fourth moment may not "
                "exist: no reference"
            )

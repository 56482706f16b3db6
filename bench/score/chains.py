"""Chain diagnostics of Vehtari et al. (2021, arXiv:1903.08008), for all scalars of a fit at once.

The estimators are those of Stan and ArviZ to rounding (the tests hold them against arviz-stats); here one sort and one
real FFT serve every scalar. Arrays are (scalar, chain, draw); results (scalar,). A scalar that never moves has
ESS 0 (ArviZ says as many as draws, which would make a stuck sampler the best of all) and neither R-hat nor Monte-Carlo
errors: those entries are NaN, and callers leave such rows out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, special  # not scipy.stats: importing it takes a third of a second

from bench.types import Array

MIN_DRAWS = 4
BLOCK = 4_000_000
"""Numbers handled at once: 32 MB of float64 per temporary."""


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """Each (scalar,): the larger of bulk and folded R-hat, ESS of bulk, tail and mean, and Monte-Carlo errors."""

    r_hat: Array
    ess_bulk: Array
    ess_tail: Array
    ess_mean: Array
    mcse_mean: Array
    mcse_sd: Array
    mcse_q05: Array
    mcse_q95: Array


def diagnose(draws: Array) -> Diagnostics:
    """Every diagnostic of draws (scalar, chain, draw); ValueError with fewer than 4 draws a chain."""
    scalars, chains, n = draws.shape
    if n < MIN_DRAWS:
        raise ValueError(f"{n} draws per chain, at least {MIN_DRAWS} are needed")
    step = max(1, BLOCK // (chains * n))
    parts = [_diagnose(draws[i : i + step]) for i in range(0, scalars, step)]
    names = Diagnostics.__dataclass_fields__
    return Diagnostics(**{k: np.concatenate([getattr(p, k) for p in parts]) for k in names})


def _diagnose(draws: Array) -> Diagnostics:
    moving = np.ptp(draws, axis=(1, 2)) > 0.0
    if moving.all():
        return Diagnostics(**_of_moving(draws))
    made = _of_moving(draws[moving]) if moving.any() else {}

    def spread(name: str) -> Array:
        full = np.full(len(draws), 0.0 if name.startswith("ess") else np.nan)
        full[moving] = made.get(name, 0.0)
        return full

    return Diagnostics(**{name: spread(name) for name in Diagnostics.__dataclass_fields__})


def _of_moving(draws: Array) -> dict[str, Array]:
    flat = draws.reshape(len(draws), -1)
    total = flat.shape[1]
    ordered = np.sort(flat, axis=1)
    low, high = np.quantile(ordered, [0.05, 0.95], axis=1)
    halves = split(draws)
    centred = draws - flat.mean(axis=1)[:, None, None]
    squares = centred**2
    normal = normal_scores(halves)
    median = np.median(halves.reshape(len(draws), -1), axis=1)
    folded = normal_scores(np.abs(halves - median[:, None, None]))
    ess_low, ess_high = (ess(split((draws <= q[:, None, None]).astype(float))) for q in (low, high))
    ess_mean, ess_square = ess(halves), ess(split(squares))
    second, fourth = squares.mean(axis=(1, 2)), (squares**2).mean(axis=(1, 2))
    return {
        "r_hat": np.fmax(r_hat(normal), r_hat(folded)),
        "ess_bulk": ess(normal),
        "ess_tail": np.minimum(ess_low, ess_high),
        "ess_mean": ess_mean,
        "mcse_mean": flat.std(axis=1, ddof=1) / np.sqrt(ess_mean),
        # delta method on the mean of squares; ArviZ takes the ESS of x here, which is too large for antithetic draws
        "mcse_sd": np.sqrt(np.maximum(fourth - second**2, 0.0) / ess_square / (4.0 * second)),
        "mcse_q05": _mcse_quantile(ordered, total, 0.05, ess_low),
        "mcse_q95": _mcse_quantile(ordered, total, 0.95, ess_high),
    }


def split(draws: Array) -> Array:
    """(…, chain, draw) → (…, 2·chain, draw // 2): first and last halves as chains of their own."""
    half = draws.shape[-1] // 2
    return np.concatenate([draws[..., :half], draws[..., -half:]], axis=-2)


def normal_scores(draws: Array) -> Array:
    """Normal scores of the average ranks over all draws of each scalar, Blom's offset 3/8."""
    flat = draws.reshape(len(draws), -1)
    scores: Array = special.ndtri((average_ranks(flat) - 0.375) / (flat.shape[1] + 0.25))
    return scores.reshape(draws.shape)


def average_ranks(rows: Array) -> Array:
    """Ranks from 1 within each row, ties sharing their mean rank."""
    order = np.argsort(rows, axis=1)
    ordered = np.take_along_axis(rows, order, axis=1)
    n = rows.shape[1]
    changes = np.diff(ordered, axis=1) != 0.0
    edge = np.ones((len(rows), 1), dtype=bool)
    first = np.maximum.accumulate(np.where(np.hstack([edge, changes]), np.arange(n), 0), axis=1)
    last = np.minimum.accumulate(np.where(np.hstack([changes, edge]), np.arange(n), n)[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty_like(rows)
    np.put_along_axis(ranks, order, (first + last) / 2.0 + 1.0, axis=1)
    return ranks


def r_hat(chains: Array) -> Array:
    """Potential scale reduction of chains as they stand (split and transform them first).

    Infinite where only the chains differ, NaN where nothing does.
    """
    n = chains.shape[-1]
    between = n * chains.mean(axis=-1).var(axis=-1, ddof=1)
    within = chains.var(axis=-1, ddof=1).mean(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value: Array = np.sqrt((between / within + n - 1) / n)
    return value


def ess(chains: Array) -> Array:
    """Effective sample size by Geyer's initial monotone sequence, chains as they stand; at most total·log10(total).

    A series that never changes (an indicator no draw meets in these halves) counts in full, as in ArviZ.
    """
    scalars, m, n = chains.shape
    covariance = _mean_autocovariance(chains)
    within = covariance[:, 0] * n / (n - 1.0)
    pooled = within * (n - 1.0) / n
    if m > 1:
        pooled = pooled + chains.mean(axis=-1).var(axis=-1, ddof=1)
    last = max(0, -((2 - n) // 2) - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = 1.0 - (within[:, None] - covariance[:, : 2 * last + 2]) / pooled[:, None]
    rho[:, 0] = 1.0
    pairs = rho[:, 0::2] + rho[:, 1::2]
    negative = pairs <= 0.0
    stop = np.where(negative.any(axis=1), negative.argmax(axis=1), last)
    used = np.arange(pairs.shape[1]) < stop[:, None]
    monotone = np.where(used, np.minimum.accumulate(pairs, axis=1), 0.0).sum(axis=1)
    row = np.arange(scalars)
    even = rho[row, 2 * stop]
    tail = np.where(pairs[row, stop] >= 0.0, even, np.maximum(even, 0.0))
    tail = np.where(stop == 0, 1.0, tail)
    total = m * n
    tau = np.maximum(-1.0 + 2.0 * monotone + tail, 1.0 / np.log10(total))
    return np.where(pooled > 0.0, total / tau, float(total))


def _mean_autocovariance(chains: Array) -> Array:
    """Autocovariance averaged over chains, biased as usual (divided by n): (scalar, lag)."""
    n = chains.shape[-1]
    size = fft.next_fast_len(2 * n, real=True)
    spectrum = fft.rfft(chains - chains.mean(axis=-1, keepdims=True), n=size, axis=-1)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
    lags: Array = fft.irfft(power, n=size, axis=-1)[:, :n] / n
    return lags


def _mcse_quantile(ordered: Array, total: int, p: float, effective: Array) -> Array:
    """Half the distance between the order statistics at ±1 sd of the quantile's Beta distribution."""
    edges = [0.1586553, 0.8413447]
    low, high = (special.betaincinv(effective * p + 1, effective * (1 - p) + 1, e) * total - 1 for e in edges)
    row = np.arange(len(ordered))
    usable = np.isfinite(low) & np.isfinite(high)
    below = np.clip(np.floor(np.where(usable, low, 0.0)), 0, total - 1).astype(int)
    above = np.clip(np.ceil(np.where(usable, high, 0.0)), 0, total - 1).astype(int)
    half: Array = (ordered[row, above] - ordered[row, below]) / 2.0
    return np.where(usable, half, np.nan)

"""Effective sample size in NumPy alone, for children that rank the truth among draws they do not keep.

The estimators are those of Stan and ArviZ (Vehtari et al. 2021, arXiv:1903.08008) to rounding. Scores of stored fits
come from ArviZ itself (`bench.score.chains`), which imports pandas and xarray, and a child may not.
"""

from __future__ import annotations

import numpy as np
from scipy import fft, special

from bench.types import Array

FEWEST = 4
"""Draws per chain below which there is no ESS."""
TAILS = (0.05, 0.95)
"""Probabilities of the quantiles whose indicators the tail ESS is that of."""


def bulk_and_tail(draws: Array) -> Array:
    """The smaller of bulk and tail ESS of draws (scalar, chain, draw), (scalar,).

    0 where a scalar never moves, and with fewer than 4 draws per chain.
    """
    effective = np.zeros(len(draws))
    if draws.shape[-1] < FEWEST:
        return effective
    moving = np.ptp(draws, axis=(1, 2)) > 0.0
    x = draws[moving]
    quantiles = np.quantile(x, TAILS, axis=(1, 2))
    indicators = [(x <= q[:, None, None]).astype(float) for q in quantiles]
    series = (normal_scores(split(x)), *map(split, indicators))
    effective[moving] = np.min([ess(each) for each in series], axis=0)
    return effective


def split(draws: Array) -> Array:
    """(…, chain, draw) → (…, 2·chain, draw // 2): first and last halves as chains of their own."""
    half = draws.shape[-1] // 2
    return np.concatenate([draws[..., :half], draws[..., -half:]], axis=-2)


def normal_scores(draws: Array) -> Array:
    """Normal scores of the average ranks over all draws of each scalar, Blom's offset 3/8; (scalar, chain, draw)."""
    from scipy.stats import rankdata  # here: importing it takes a third of a second

    flat = draws.reshape(len(draws), -1)
    scores: Array = special.ndtri((rankdata(flat, axis=1) - 0.375) / (flat.shape[1] + 0.25))
    return scores.reshape(draws.shape)


def ess(chains: Array) -> Array:
    """Effective sample size by Geyer's initial monotone sequence of chains (scalar, chain, draw) as they stand.

    At most total · log10(total). A series that never changes (an indicator no draw meets in these halves) counts in
    full, as in ArviZ.
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

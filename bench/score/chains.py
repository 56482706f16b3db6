"""Chain diagnostics of Vehtari et al. (2021, arXiv:1903.08008): ArviZ's, of thousands of scalars at a time.

The estimators are in `bench.stats.effective`; the tests hold each against ArviZ, which takes one scalar after the
other and five times as long. What is another number here, because ArviZ gives none or a wrong one:
- ESS of a scalar that never moves is 0. ArviZ says as many as draws, which would make a stuck sampler the best of all.
- Draws are scaled before, by a power of two and so without rounding: ArviZ takes a range below 1e-15 for no movement.
- R-hat of one chain is that of its halves. ArviZ gives none.
- `mcse_sd` divides by the ESS of the squares. arviz-stats 0.8 takes that of x, which makes it wrong by up to a half.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from scipy import special

from bench.stats.effective import FEWEST, TAILS, ess, normal_scores, split
from bench.types import Array

MIN_DRAWS = FEWEST
NAMES = ("r_hat", "ess_bulk", "ess_tail", "ess_mean", "mcse_mean", "mcse_sd", "mcse_q05", "mcse_q95")
"""Every diagnostic, an attribute of `Diagnostics`."""
TOGETHER = 2_000_000
"""Draws of some scalars that are worked on at once: 16 MB of float64, and a few times that beside it."""
ONE_SD = (0.1586553, 0.8413447)
"""Probabilities one sd below and above the median of a normal, as ArviZ writes them."""


class Diagnostics:
    """Diagnostics of draws (chain, draw, scalar): each (scalar,), computed when first read.

    A scalar that never moves has ESS 0 and neither R-hat nor Monte-Carlo errors: NaN, and callers leave such rows out.
    ValueError with fewer than 4 draws a chain.
    """

    def __init__(self, draws: Array) -> None:
        if draws.shape[1] < MIN_DRAWS:
            raise ValueError(f"{draws.shape[1]} draws per chain, at least {MIN_DRAWS} are needed")
        spread = np.ptp(draws, axis=(0, 1))
        self._moving = spread > 0.0
        self._exponent = np.frexp(spread[self._moving])[1]
        scaled = np.ldexp(draws[..., self._moving], -self._exponent)
        self._draws = np.ascontiguousarray(np.moveaxis(scaled, -1, 0))

    @property
    def r_hat(self) -> Array:
        """The larger of rank-normalised split R-hat in the bulk and folded about the median; infinite or huge where
        only the chains differ."""
        return self._spread(self._ranked[0], np.nan)

    def r_hat_nested(self, superchains: int) -> Array:
        """Nested R-hat (Margossian et al. 2024, arXiv:2110.13017, equation 8), rank-normalised and split as `r_hat`.

        Chain i belongs to superchain i modulo their number, each of equally many chains that began at one point. For
        many short chains: what a mean within one chain is off by, for want of draws, says nothing against all of them.
        """
        from arviz_stats.base.array import array_stats  # here: a second, which hardly any fit needs

        of_chain = np.arange(self._draws.shape[1]) % superchains
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._spread(array_stats.rhat_nested(self._draws, of_chain), np.nan)

    @property
    def ess_bulk(self) -> Array:
        """ESS of the rank-normalised draws."""
        return self._spread(self._ranked[1], 0.0)

    @property
    def ess_tail(self) -> Array:
        """The smaller ESS of the indicators of the 5 % and the 95 % quantile."""
        return self._spread(np.minimum(*self._tails[0]), 0.0)

    @property
    def ess_mean(self) -> Array:
        """ESS of the draws as they are, for their mean."""
        return self._spread(self._plain[0], 0.0)

    @property
    def mcse_mean(self) -> Array:
        """Monte-Carlo standard error of the mean."""
        return self._errors(self._plain[1])

    @property
    def mcse_sd(self) -> Array:
        """Monte-Carlo standard error of the sd, by the delta method on the mean of the centred squares."""
        return self._errors(self._blockwise(_of_squares)[0])

    @property
    def mcse_q05(self) -> Array:
        """Monte-Carlo standard error of the 5 % quantile."""
        return self._errors(self._tails[1][0])

    @property
    def mcse_q95(self) -> Array:
        """Monte-Carlo standard error of the 95 % quantile."""
        return self._errors(self._tails[1][1])

    @cached_property
    def _ranked(self) -> tuple[Array, ...]:
        return self._blockwise(_of_ranks)

    @cached_property
    def _plain(self) -> tuple[Array, ...]:
        return self._blockwise(_of_values)

    @cached_property
    def _tails(self) -> tuple[Array, ...]:
        return self._blockwise(_of_tails)

    def _blockwise(self, compute: Callable[[Array], tuple[Array, ...]]) -> tuple[Array, ...]:
        """What it makes of all scalars that move (scalar, chain, draw), some at a time: arrays (…, scalar)."""
        count, *shape = self._draws.shape
        draws = self._draws if count else np.zeros((1, *shape))  # one that does not move, and is left out below
        step = max(1, TOGETHER // draws[0].size)
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = [compute(draws[at : at + step]) for at in range(0, len(draws), step)]
        return tuple(np.concatenate(part, axis=-1)[..., :count] for part in zip(*parts, strict=True))

    def _errors(self, scaled: Array) -> Array:
        return self._spread(np.ldexp(scaled, self._exponent), np.nan)

    def _spread(self, values: Array, stuck: float) -> Array:
        """Values of the scalars that move, and `stuck` for the others: (scalar,)."""
        every = np.full(len(self._moving), stuck)
        every[self._moving] = values
        return every


def e_bfmi(energy: Array) -> Array:
    """Energy Bayesian fraction of missing information, Σ(ΔE)²/Σ(E−Ē)² of energies (chain, draw): (chain,).

    NaN where a chain's energy never changes. Betancourt 2016, arXiv:1604.00695.
    """
    energy = np.asarray(energy, dtype=float)
    spread = np.square(energy - energy.mean(axis=1, keepdims=True)).sum(axis=1)
    with np.errstate(all="ignore"):
        return np.asarray(np.square(np.diff(energy, axis=1)).sum(axis=1) / np.where(spread > 0.0, spread, np.nan))


def _of_ranks(draws: Array) -> tuple[Array, Array]:
    """R-hat, the larger of bulk and folded, and bulk ESS."""
    halves = split(draws)
    bulk = normal_scores(halves)
    folded = normal_scores(np.abs(halves - np.median(halves, axis=(1, 2), keepdims=True)))
    return np.fmax(_potential_scale_reduction(bulk), _potential_scale_reduction(folded)), ess(bulk)


def _of_values(draws: Array) -> tuple[Array, Array]:
    """ESS of the mean, and its standard error."""
    effective = ess(split(draws))
    return effective, draws.std(axis=(1, 2), ddof=1) / np.sqrt(effective)


def _of_squares(draws: Array) -> tuple[Array]:
    """The standard error of the sd."""
    squares = np.square(draws - draws.mean(axis=(1, 2), keepdims=True))
    second, fourth = squares.mean(axis=(1, 2)), np.square(squares).mean(axis=(1, 2))
    return (np.sqrt(np.maximum(fourth - second**2, 0.0) / ess(split(squares)) / (4.0 * second)),)


def _of_tails(draws: Array) -> tuple[Array, Array]:
    """ESS of the indicators of the quantiles TAILS, and the quantiles' standard errors: (quantile, scalar) each.

    The error is half the distance of the order statistics one sd from the quantile by its rank's Beta distribution.
    """
    ordered = np.sort(draws.reshape(len(draws), -1), axis=1)
    last, row = ordered.shape[1] - 1, np.arange(len(draws))
    effective, errors = [], []
    for p, quantile in zip(TAILS, np.quantile(ordered, TAILS, axis=1), strict=True):
        effective.append(n := ess(split((draws <= quantile[:, None, None]).astype(float))))
        low, high = (special.betaincinv(n * p + 1.0, n * (1.0 - p) + 1.0, at) * (last + 1) - 1.0 for at in ONE_SD)
        below, above = np.floor(np.clip(low, 0, last)).astype(int), np.ceil(np.clip(high, 0, last)).astype(int)
        errors.append((ordered[row, above] - ordered[row, below]) / 2.0)
    return np.array(effective), np.array(errors)


def _potential_scale_reduction(chains: Array) -> Array:
    """√((B/W + n − 1)/n) of chains (scalar, chain, draw) as they stand."""
    n = chains.shape[-1]
    between = n * chains.mean(axis=-1).var(axis=-1, ddof=1)
    within = chains.var(axis=-1, ddof=1).mean(axis=-1)
    return np.asarray(np.sqrt((between / within + n - 1) / n))

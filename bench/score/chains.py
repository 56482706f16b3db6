"""Chain diagnostics of Vehtari et al. (2021, arXiv:1903.08008), by ArviZ's array functions.

What is computed here instead, because ArviZ gives no number or a wrong one; the tests show each:
- ESS of a scalar that never moves is 0. ArviZ says as many as draws, which would make a stuck sampler the best of all.
- Draws are scaled before, by a power of two and so without rounding: ArviZ takes a range below 1e-15 for no movement.
- R-hat of one chain is that of its halves. ArviZ gives none.
- `mcse_sd` divides by the ESS of the squares. arviz-stats 0.8 takes that of x, which makes it wrong by up to a half.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from bench.stats.effective import FEWEST, TAILS, normal_scores, split
from bench.types import Array

if TYPE_CHECKING:
    from arviz_stats.base.array import BaseArray

MIN_DRAWS = FEWEST
NAMES = ("r_hat", "ess_bulk", "ess_tail", "ess_mean", "mcse_mean", "mcse_sd", "mcse_q05", "mcse_q95")
"""Every diagnostic, an attribute of `Diagnostics`."""


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

    @cached_property
    def r_hat(self) -> Array:
        """The larger of rank-normalised split R-hat in the bulk and folded about the median; infinite or huge where
        only the chains differ."""
        with np.errstate(divide="ignore", invalid="ignore"):
            one = self._draws.shape[1] == 1
            return self._spread(_of_halves(self._draws) if one else _arviz().rhat(self._draws), np.nan)

    def r_hat_nested(self, superchains: int) -> Array:
        """Nested R-hat (Margossian et al. 2024, arXiv:2110.13017, equation 8), rank-normalised and split as `r_hat`.

        Chain i belongs to superchain i modulo their number, each of equally many chains that began at one point. For
        many short chains: what a mean within one chain is off by, for want of draws, says nothing against all of them.
        """
        of_chain = np.arange(self._draws.shape[1]) % superchains
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._spread(_arviz().rhat_nested(self._draws, of_chain), np.nan)

    @cached_property
    def ess_bulk(self) -> Array:
        """ESS of the rank-normalised draws."""
        return self._ess("bulk")

    @cached_property
    def ess_tail(self) -> Array:
        """The smaller ESS of the indicators of the 5 % and the 95 % quantile."""
        return self._ess("tail", TAILS)

    @cached_property
    def ess_mean(self) -> Array:
        """ESS of the draws as they are, for their mean."""
        return self._ess("mean")

    @cached_property
    def mcse_mean(self) -> Array:
        """Monte-Carlo standard error of the mean."""
        return self._errors(self._draws.std(axis=(1, 2), ddof=1) / np.sqrt(self.ess_mean[self._moving]))

    @cached_property
    def mcse_sd(self) -> Array:
        """Monte-Carlo standard error of the sd, by the delta method on the mean of the centred squares."""
        squares = np.square(self._draws - self._draws.mean(axis=(1, 2), keepdims=True))
        second, fourth = squares.mean(axis=(1, 2)), np.square(squares).mean(axis=(1, 2))
        effective = self._ess("sd")[self._moving]  # of the squares
        return self._errors(np.sqrt(np.maximum(fourth - second**2, 0.0) / effective / (4.0 * second)))

    @cached_property
    def mcse_q05(self) -> Array:
        """Monte-Carlo standard error of the 5 % quantile."""
        return self._errors(_arviz().mcse(self._draws, method="quantile", prob=TAILS[0]))

    @cached_property
    def mcse_q95(self) -> Array:
        """Monte-Carlo standard error of the 95 % quantile."""
        return self._errors(_arviz().mcse(self._draws, method="quantile", prob=TAILS[1]))

    def _ess(self, method: str, prob: tuple[float, float] | None = None) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._spread(_arviz().ess(self._draws, method=method, prob=prob), 0.0)

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


def _arviz() -> BaseArray:
    """ArviZ's array functions, imported late: with pandas and xarray they take a second, which not every verb needs."""
    from arviz_stats.base.array import array_stats

    return array_stats


def _of_halves(draws: Array) -> Array:
    """R-hat of the halves of each chain, rank-normalised, the larger of bulk and folded: (scalar,)."""
    halves = split(draws)
    folded = np.abs(halves - np.median(halves, axis=(1, 2), keepdims=True))
    return np.fmax(*(_potential_scale_reduction(normal_scores(series)) for series in (halves, folded)))


def _potential_scale_reduction(chains: Array) -> Array:
    """√((B/W + n − 1)/n) of chains (scalar, chain, draw) as they stand."""
    n = chains.shape[-1]
    between = n * chains.mean(axis=-1).var(axis=-1, ddof=1)
    within = chains.var(axis=-1, ddof=1).mean(axis=-1)
    return np.asarray(np.sqrt((between / within + n - 1) / n))

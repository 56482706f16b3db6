"""Scalars as normal scores under the reference: w = Φ⁻¹(F(θ)), standard normal where draws are the reference's.

So mean, spread and shape are judged on one scale on which every moment is known, however heavy the reference's tails.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from bench.types import Array

LEVELS = (np.arange(199) + 0.5) / 199
"""Levels of reference quantiles of which W1 is the mean distance."""
TAIL = np.linspace(2.6, 4.5, 14)
KNOTS = np.concatenate([-TAIL[::-1], special.ndtri(LEVELS[1:-1]), TAIL])
"""Scores at which reference quantiles are taken: of LEVELS, but for the outermost, and of the tails beyond."""
FINE = np.linspace(-4.5, 4.5, 1801)
"""Scores between which the map is linear: the kinks are then worth 3e-6 of a score in a normal marginal."""
END = 40
"""Points, 0.2 of a score, that give the direction beyond the outermost knots."""
FARTHEST = 10.0
"""Scores are clipped here, where b² of their square is 5 000: wrong by more than enough."""


class NormalScores:
    """The monotone map of each scalar to its normal score, from quantiles (knot, scalar) at scores `knots` (knot,).

    Between knots by PCHIP (Fritsch & Carlson 1980, doi:10.1137/0717021), linear beyond them.
    """

    def __init__(self, knots: Array, quantiles: Array) -> None:
        from scipy.interpolate import PchipInterpolator  # here: a third of a second

        fine = FINE[(knots[0] <= FINE) & (knots[-1] >= FINE)]
        values = PchipInterpolator(knots, quantiles, axis=0)(fine)
        self._maps = [_map(column, fine) for column in values.T]

    def __call__(self, draws: Array) -> Array:
        """Scores of draws (…, scalar), same shape, within ±10; NaN counts as the lower end."""
        scores = [np.interp(draws[..., i], *at) for i, at in enumerate(self._maps)]
        return np.asarray(np.nan_to_num(np.stack(scores, axis=-1), nan=-FARTHEST))


def levels(knots: Array) -> Array:
    """The probabilities of scores."""
    return np.asarray(special.ndtr(knots))


def _map(theta: Array, w: Array) -> tuple[Array, Array]:
    """θ that increase with their scores; one more point at each end goes on in the direction of the outermost ones.

    Of equal quantiles (a reference may have them at its outermost levels) the last is kept; a constant scores 0.
    """
    grown = np.maximum.accumulate(theta)
    kept = np.append(np.diff(grown) > 1e-12 * np.ptp(grown), True)
    theta, w = theta[kept], w[kept]
    if len(w) == 1:
        return theta, np.zeros(1)
    end = min(END, len(w) - 1)
    slopes = [(theta[end] - theta[0]) / (w[end] - w[0]), (theta[-1] - theta[-1 - end]) / (w[-1] - w[-1 - end])]
    low, high = theta[0] - slopes[0] * (FARTHEST + w[0]), theta[-1] + slopes[1] * (FARTHEST - w[-1])
    return np.concatenate([[low], theta, [high]]), np.concatenate([[-FARTHEST], w, [FARTHEST]])

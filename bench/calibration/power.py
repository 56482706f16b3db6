"""How much narrowness a calibration finds with so many data sets, and how many it takes: stated before any fit."""

from __future__ import annotations

import numpy as np
from scipy import special

from bench.calibration.bands import band, stays
from bench.calibration.quantities import ALPHA
from bench.calibration.ranks import LADDER
from bench.types import Array

NARROW = 0.07
"""The narrowness that is spoken of: posterior sds 7 % too small, which b² of 0.01 in a rep would let pass."""
WIDE = 0.2
"""Another, which is easier to find."""
NEEDED = 4800
"""Data sets that find that narrowness in 95 % of calibrations."""
QUANTITIES = 5
"""Scalars judged at once, the log likelihood among them."""
FOUND = 0.95


def shares(narrow: float, draws: int) -> Array:
    """Probability of each rank 0 … draws of the truth among normal draws whose sd is too small by that share.

    Given the truth at z of its posterior, ranks are binomial with Φ(z/(1 − narrow)): averaged over z by the trapezoid
    rule, which is exact to rounding here.
    """
    z = np.linspace(-9.0, 9.0, 3601)
    below = special.ndtr(z / (1.0 - narrow))[None]
    weight = np.exp(-0.5 * z**2)
    k = np.arange(draws + 1.0)[:, None]
    logs = special.xlogy(k, below) + special.xlogy(draws - k, special.ndtr(-z / (1.0 - narrow))[None])
    binomial = np.exp(logs + special.gammaln(draws + 1.0) - special.gammaln(k + 1.0) - special.gammaln(draws - k + 1.0))
    probability = binomial @ (weight / weight.sum())
    return np.asarray(probability / probability.sum())


def found(datasets: int, *, narrow: float = NARROW, draws: int = LADDER[0], quantities: int = QUANTITIES) -> float:
    """Probability that the ranks of one quantity, too narrow by that share, leave the band of the verdict; exact."""
    edges = band(datasets, draws, ALPHA / quantities)
    counts = np.arange(datasets + 1.0)
    inside = (counts >= edges.lower[:, None]) & (counts <= edges.upper[:, None])
    return 1.0 - stays(inside, shares(narrow, draws))


def statement(datasets: int) -> str:
    """What so many data sets find, in a sentence."""
    some, much = (f"{100 * found(datasets, narrow=narrow):.0f} %" for narrow in (NARROW, WIDE))
    narrow, wide, often = (f"{100 * share:.0f} %" for share in (NARROW, WIDE, FOUND))
    return (
        f"{datasets} data sets find one of {QUANTITIES} posterior sds that is {narrow} too small in {some} of "
        f"calibrations, {wide} in {much}; to find {narrow} in {often} takes {NEEDED} data sets."
    )

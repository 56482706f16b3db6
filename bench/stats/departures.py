"""How improbable the mean of a series is where its expectation, variance and skewness are known."""

from __future__ import annotations

import numpy as np
from scipy import special

from bench.types import Array

PER_DRAW = 6.0
"""Effective draws per degree of freedom of an estimated autocorrelation time: 2/ν is its relative variance, about
12/ESS for a sequence cut at some six times the integrated time (Sokal 1997, doi:10.1007/978-1-4899-0319-8_6)."""


def p_values(deviation: Array, variance: Array, skewness: Array, effective: Array) -> Array:
    """Two-sided p-values of means that deviate so from their expectations, each (function,).

    `variance` and `skewness` are those of the mean. Its skewness is removed by the cube-root transformation of a
    Pearson type III (Wilson & Hilferty 1931, doi:10.1073/pnas.17.12.684); its variance, known through an
    autocorrelation time estimated from `effective` draws, makes it Student's t.
    """
    z = deviation / np.sqrt(variance)
    skew = np.where(np.abs(skewness) < 1e-6, 1e-6, skewness)
    normal = 6.0 / skew * (np.cbrt(1.0 + skew * z / 2.0) - 1.0) + skew / 6.0
    return np.asarray(2.0 * special.stdtr(np.maximum(effective / PER_DRAW, 1.0), -np.abs(normal)))

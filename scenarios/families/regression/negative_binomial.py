"""Negative binomial regression: counts of mean mu_i = exp(x_i·weights + bias + offset_i), variance mu_i + mu_i²/phi."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy

from bench.types import Array, Arrays
from scenarios.families.regression import links
from scenarios.families.regression.likelihood import Scale
from scenarios.families.regression.poisson import Counts, counts
from scenarios.families.regression.regression import Regression


class NegativeBinomial(Counts):
    """A Poisson count whose rate is Gamma of mean mu and shape phi. No flat prior of phi: at infinity it is Poisson."""

    SCALES = (
        Scale(
            "phi",
            "phi",
            "true dispersion of the counts, whose variance is mu + mu²/phi",
            "a dispersion",
            ("known", "uniform", "exponential", "half_normal", "half_cauchy", "log_normal"),
        ),
    )

    def log_prob(self, y: Array, eta: Array, scales: Arrays) -> Array:
        phi = scales["phi"]
        odds = eta - np.log(phi)
        # log Γ(y + phi)/(Γ(phi)·y!), without the cancellation of the two at a large phi
        ways = -scipy.special.betaln(phi, y + 1.0) - np.log(y + phi)
        return np.asarray(ways - phi * np.logaddexp(0.0, odds) - y * np.logaddexp(0.0, -odds))

    def sums(self, y: Array, eta: Array, scales: Arrays) -> tuple[Array, Array, Mapping[str, Array]]:
        """Functions of y and phi, which are dear, once per different count."""
        phi, (values, times) = scales["phi"], np.unique(y, return_counts=True)
        at, odds = values + phi[:, None], eta - np.log(phi)[:, None]
        ways = -scipy.special.betaln(phi[:, None], values + 1.0) - np.log(at)
        tail = np.logaddexp(0.0, odds)
        slope = y - (y + phi[:, None]) * scipy.special.expit(odds)
        of_phi = scipy.special.digamma(at) @ times - len(y) * scipy.special.digamma(phi)
        of_phi -= tail.sum(axis=-1) + slope.sum(axis=-1) / phi
        return ways @ times - phi * tail.sum(axis=-1) - (tail - odds) @ y, slope, {"phi": of_phi}

    def cdf(self, y: Array, eta: Array, scales: Arrays) -> Array:
        success = scipy.special.expit(np.log(scales["phi"]) - eta)
        at = scipy.special.betainc(scales["phi"], np.floor(np.maximum(y, 0.0)) + 1.0, success)
        return np.where(y < 0.0, 0.0, at)

    def sample(self, eta: Array, scales: Arrays, rng: np.random.Generator) -> Array:
        phi = float(scales["phi"])
        return counts(links.exp(eta) * rng.gamma(phi, 1.0 / phi, len(eta)), rng)


FAMILY = Regression("negative_binomial", NegativeBinomial())

"""Gamma regression: y_i ~ Gamma of mean exp(x_i·weights + bias + offset_i) and one shape, whose cv is 1/√shape."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy

from bench.types import Array, Arrays
from scenarios.families.regression import links
from scenarios.families.regression.likelihood import Likelihood, Scale
from scenarios.families.regression.regression import Regression


class Gamma(Likelihood):
    """y is above 0."""

    LINKS = ("log",)
    COLUMNS = ("offset",)
    SCALES = (
        Scale(
            "shape",
            "shape",
            "true shape of the observations, whose variance is mean²/shape",
            "a shape",
            ("known", "uniform", "exponential", "half_normal", "half_cauchy", "log_normal"),
        ),
    )

    def invalid(self, y: Array) -> str:
        return "" if (y > 0.0).all() else "its y must be above 0"

    def mean(self, eta: Array) -> Array:
        return links.exp(eta)

    def log_prob(self, y: Array, eta: Array, scales: Arrays) -> Array:
        shape, log_ratio = scales["shape"], np.log(y) - eta
        kernel = shape * (log_ratio - links.exp(log_ratio)) - np.log(y)
        return np.asarray(kernel + shape * np.log(shape) - scipy.special.gammaln(shape))

    def slope(self, y: Array, eta: Array, scales: Arrays) -> Array:
        return np.asarray(scales["shape"] * (links.exp(np.log(y) - eta) - 1.0))

    def scale_slopes(self, y: Array, eta: Array, scales: Arrays) -> Mapping[str, Array]:
        shape, log_ratio = scales["shape"], np.log(y) - eta
        constant = np.log(shape) + 1.0 - scipy.special.digamma(shape)
        return {"shape": np.asarray(constant + log_ratio - links.exp(log_ratio))}

    def cdf(self, y: Array, eta: Array, scales: Arrays) -> Array:
        ratio = np.maximum(y, 0.0) * links.exp(-eta)
        return np.asarray(scipy.special.gammainc(scales["shape"], scales["shape"] * ratio))

    def sample(self, eta: Array, scales: Arrays, rng: np.random.Generator) -> Array:
        """At least the least number of float32: a small shape puts mass below what a float can tell from 0."""
        shape = float(scales["shape"])
        drawn = links.exp(eta) * rng.gamma(shape, 1.0 / shape, len(eta))
        return np.maximum(drawn, float(np.finfo(np.float32).tiny))


FAMILY = Regression("gamma", Gamma())

"""Robust regression: y = X·weights + bias + sigma·ε, ε Student's t of `df` degrees of freedom; priors independent."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import scipy

from bench.types import Array, Arrays, Dataset
from scenarios.families.common import starts, transforms
from scenarios.families.posteriors.design import rows
from scenarios.families.regression.likelihood import Likelihood, Scale
from scenarios.families.regression.regression import Regression

_PRIORS = ("uniform", "exponential", "half_normal", "half_cauchy", "log_normal")


class StudentT(Likelihood):
    """Centre eta, scale sigma, df degrees of freedom."""

    SCALES = (
        Scale(
            "sigma",
            "noise",
            "true scale of the observations around their centre; their standard deviation is larger",
            "a standard deviation",
            ("known", "flat", *_PRIORS),
        ),
        Scale(
            "df",
            "df",
            "true degrees of freedom of the Student's t noise, 4 when absent",
            "a number of degrees of freedom",
            ("known", *_PRIORS),
            default=4.0,
        ),
    )

    def log_prob(self, y: Array, eta: Array, scales: Arrays) -> Array:
        sigma, df = scales["sigma"], scales["df"]
        ratio = (y - eta) / sigma
        return np.asarray(_constant(df) - np.log(sigma) - 0.5 * (df + 1.0) * np.log1p(np.square(ratio) / df))

    def sums(self, y: Array, eta: Array, scales: Arrays) -> tuple[Array, Array, Mapping[str, Array]]:
        sigma, df = scales["sigma"], scales["df"]
        ratio = (y - eta) / sigma[:, None]
        total = np.log1p(np.square(ratio) / df[:, None]).sum(axis=-1)
        pull = (df[:, None] + 1.0) * ratio / (df[:, None] + np.square(ratio))
        weighted = (pull * ratio).sum(axis=-1)
        value = len(y) * (_constant(df) - np.log(sigma)) - 0.5 * (df + 1.0) * total
        digammas = scipy.special.digamma(0.5 * (df + 1.0)) - scipy.special.digamma(0.5 * df)
        slopes = {
            "sigma": (weighted - len(y)) / sigma,
            "df": 0.5 * (len(y) * (digammas - 1.0 / df) - total + weighted / df),
        }
        return value, pull / sigma[:, None], slopes

    def cdf(self, y: Array, eta: Array, scales: Arrays) -> Array:
        return np.asarray(scipy.special.stdtr(scales["df"], (y - eta) / scales["sigma"]))

    def sample(self, eta: Array, scales: Arrays, rng: np.random.Generator) -> Array:
        return np.asarray(eta + scales["sigma"] * rng.standard_t(float(scales["df"]), len(eta)))


def _constant(df: Array) -> Array:
    gammas = scipy.special.gammaln(0.5 * (df + 1.0)) - scipy.special.gammaln(0.5 * df)
    return np.asarray(gammas - 0.5 * np.log(df * math.pi))


class Robust(Regression):
    """The search for modes begins at the least-squares fit."""

    def begin(self, data: Dataset) -> Array:
        """Least squares, sigma by the median absolute residual, and 4 degrees of freedom, inside the supports."""
        design, y, _ = rows(data)
        coefficients = scipy.linalg.lstsq(design, y, lapack_driver="gelsd")[0]
        spread = float(np.median(np.abs(y - design @ coefficients)))
        located = [p for p in data.parameters if p.name in ("weights", "bias")]
        values = transforms.unflatten(located, coefficients)
        values |= {"sigma": np.array(1.5 * spread or 1.0), "df": np.array(4.0)}
        return transforms.unconstrain(data.parameters, starts.inside(values, data.parameters))


FAMILY = Robust("robust", StudentT())

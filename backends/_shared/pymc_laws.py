"""Observation laws of PyMC at a linear predictor; where its own lose digits or overflow, by the logarithm of a mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

Values = Mapping[str, TensorVariable]
Law = Callable[[TensorVariable, TensorVariable, Values], TensorVariable]
"""(predictor, y, parameters and columns) → the observed variable."""


def normal(mean: TensorVariable, y: TensorVariable, p: Values) -> TensorVariable:
    """Gaussian."""
    return pm.Normal("y", mean, p["sigma"], observed=y)


def bernoulli(logits: TensorVariable, y: TensorVariable, p: Values) -> TensorVariable:
    """Bernoulli: the gradient of PyMC's own is NaN where exp(logits) overflows."""

    def log_prob(y: TensorVariable, logits: TensorVariable) -> TensorVariable:
        return -pt.softplus((1.0 - 2.0 * y) * logits)

    return pm.CustomDist("y", logits, logp=log_prob, observed=y)


def student_t(mean: TensorVariable, y: TensorVariable, p: Values) -> TensorVariable:
    """Student's t."""
    return pm.StudentT("y", nu=p["df"], mu=mean, sigma=p["sigma"], observed=y)


def binomial(logits: TensorVariable, y: TensorVariable, p: Values) -> TensorVariable:
    """Binomial of `trials` per row: of PyMC's own the same is true."""

    def log_prob(y: TensorVariable, logits: TensorVariable, trials: TensorVariable) -> TensorVariable:
        ways = pt.gammaln(trials + 1.0) - pt.gammaln(y + 1.0) - pt.gammaln(trials - y + 1.0)
        return ways - y * pt.softplus(-logits) - (trials - y) * pt.softplus(logits)

    return pm.CustomDist("y", logits, p["trials"], logp=log_prob, observed=y)


def poisson(log_rate: TensorVariable, y: TensorVariable, p: Values) -> TensorVariable:
    """Poisson: PyMC's own is −∞ where a rate under- or overflows."""

    def log_prob(y: TensorVariable, log_rate: TensorVariable) -> TensorVariable:
        return y * log_rate - pt.exp(log_rate) - pt.gammaln(y + 1.0)

    return pm.CustomDist("y", log_rate, logp=log_prob, observed=y)


def negative_binomial(log_mean: TensorVariable, y: TensorVariable, p: Values) -> TensorVariable:
    """Negative binomial of variance mu + mu²/phi: PyMC's own is −∞ where mu overflows."""

    def log_prob(y: TensorVariable, log_mean: TensorVariable, phi: TensorVariable) -> TensorVariable:
        odds = log_mean - pt.log(phi)
        constant = pt.gammaln(y + phi) - pt.gammaln(phi) - pt.gammaln(y + 1.0)
        return constant - phi * pt.softplus(odds) - y * pt.softplus(-odds)

    return pm.CustomDist("y", log_mean, p["phi"], logp=log_prob, observed=y)


def gamma(log_mean: TensorVariable, y: TensorVariable, p: Values) -> TensorVariable:
    """Gamma: PyMC's own is NaN where a mean overflows."""

    def log_prob(y: TensorVariable, log_mean: TensorVariable, shape: TensorVariable) -> TensorVariable:
        log_ratio = pt.log(y) - log_mean
        constant = shape * pt.log(shape) - pt.gammaln(shape)
        return constant + shape * (log_ratio - pt.exp(log_ratio)) - pt.log(y)

    return pm.CustomDist("y", log_mean, p["shape"], logp=log_prob, observed=y)


def _probit(u: TensorVariable) -> TensorVariable:
    return log_normal_cdf(u) - log_normal_cdf(-u)


def log_normal_cdf(u: TensorVariable) -> TensorVariable:
    """log Φ(u)."""
    low, high = pt.minimum(u, 0.0) * -(0.5**0.5), pt.maximum(u, 0.0) * 0.5**0.5
    return pt.switch(u < 0.0, pt.log(0.5 * pt.erfcx(low)) - low**2, pt.log1p(-0.5 * pt.erfc(high)))


LOG_ODDS: Mapping[str, Callable[[TensorVariable], TensorVariable]] = {"": lambda u: u, "probit": _probit}
"""By link, what a law takes for a predictor: the log odds where it is not the usual link; exact in both tails."""

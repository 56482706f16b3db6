"""Small data sets of the families `logistic` and `robust`, and grids that integrate their posteriors by brute force."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from scipy import special, stats

from bench.types import Dataset, Parameter, Prior

SCIPY: dict[str, Callable[..., Any]] = {
    "normal": lambda loc, scale: stats.norm(loc, scale),
    "uniform": lambda low, high: stats.uniform(low, high - low),
    "student_t": lambda df, loc, scale: stats.t(df, loc, scale),
    "cauchy": lambda loc, scale: stats.cauchy(loc, scale),
    "exponential": lambda rate: stats.expon(scale=1 / rate),
    "half_normal": lambda scale: stats.halfnorm(scale=scale),
    "half_cauchy": lambda scale: stats.halfcauchy(scale=scale),
    "log_normal": lambda loc, scale: stats.lognorm(scale, scale=np.exp(loc)),
}


LAWS: dict[str, Callable[..., Any]] = {
    "poisson": lambda eta, scales, trials: stats.poisson(np.exp(eta)),
    "negative_binomial": lambda eta, scales, trials: stats.nbinom(
        scales["phi"], scales["phi"] / (scales["phi"] + np.exp(eta))
    ),
    "gamma": lambda eta, scales, trials: stats.gamma(scales["shape"], scale=np.exp(eta) / scales["shape"]),
    "binomial": lambda eta, scales, trials: stats.binom(trials, special.expit(eta)),
    "binomial-probit": lambda eta, scales, trials: stats.binom(trials, stats.norm.cdf(eta)),
    "logistic": lambda eta, scales, trials: stats.bernoulli(special.expit(eta)),
    "logistic-probit": lambda eta, scales, trials: stats.bernoulli(stats.norm.cdf(eta)),
}
"""By family and link: the law of a row by its predictor, its scales and its trials."""


@cache
def law(prior: Prior) -> Any:
    """Its frozen law of scipy, which takes longer to make than to ask."""
    return SCIPY[prior.name](*prior.args)


def logpdf(prior: Prior, x):
    """From scipy.stats; 0 for a flat or known one."""
    return np.zeros_like(x) if prior.name in ("flat", "known") else law(prior).logpdf(x)


def logistic(x, y, weights: Prior, bias: Prior | None = None) -> Dataset:
    parameters = [Parameter("weights", (x.shape[1],))] + ([Parameter("bias")] if bias else [])
    priors = {"weights": weights} | ({"bias": bias} if bias else {})
    return Dataset("logistic", tuple(parameters), {"x": x, "y": y}, priors)


def robust(x, y, weights: Prior, bias: Prior | None, sigma: Prior, df: Prior) -> Dataset:
    parameters = [Parameter("weights", (x.shape[1],))] + ([Parameter("bias")] if bias else [])
    for name, prior in (("sigma", sigma), ("df", df)):
        if prior.name != "known":
            parameters.append(Parameter(name, (), *(prior.args if prior.name == "uniform" else (0.0, np.inf))))
    priors = {"weights": weights, "sigma": sigma, "df": df} | ({"bias": bias} if bias else {})
    return Dataset("robust", tuple(parameters), {"x": x, "y": y}, priors)


class Grid:
    """A posterior on a product grid: log evidence, mean, variance, variance of centred squares, marginals.

    `axes` {name: values} in the order of the parameters, scalars only; `log_joint` takes them broadcast. Trapezoid
    rule in coordinates where the density and all its derivatives vanish at the ends: exponentially accurate.
    """

    def __init__(self, log_joint: Callable[..., Any], axes: dict[str, Any], jacobians: dict[str, Any]) -> None:
        mesh = dict(zip(axes, np.meshgrid(*axes.values(), indexing="ij", sparse=True), strict=True))
        logs = log_joint(**mesh)
        self.marginals, self.axes = {}, axes
        for name, width in jacobians.items():
            shape = [-1 if other == name else 1 for other in axes]
            logs = logs + np.log(width).reshape(shape)
        self.log_evidence = float(special.logsumexp(logs))
        mass = np.exp(logs - self.log_evidence)
        self.mean, self.variance, self.square_variance = {}, {}, {}
        for i, (name, values) in enumerate(axes.items()):
            marginal = mass.sum(axis=tuple(j for j in range(len(axes)) if j != i))
            # the ends carry nothing, or the rule is not the trapezoid's
            assert max(marginal[0], marginal[-1]) < 1e-9
            centred = np.square(values - marginal @ values)
            self.marginals[name], self.mean[name] = marginal, marginal @ values
            self.variance[name] = marginal @ centred
            self.square_variance[name] = marginal @ np.square(centred - marginal @ centred)

    def cdf(self, name: str, x: float) -> float:
        """By counting whole steps of the grid, half of the last."""
        below = np.cumsum(self.marginals[name]) - 0.5 * self.marginals[name]
        return float(np.interp(x, self.axes[name], below))


def line(low: float, high: float, n: int):
    """Values of a location and the width of their steps."""
    values = np.linspace(low, high, n)
    return values, np.full(n, values[1] - values[0])


def positive(low: float, high: float, n: int):
    """Values of a scale, equally spaced in its logarithm, and their widths."""
    u = np.linspace(np.log(low), np.log(high), n)
    return np.exp(u), np.exp(u) * (u[1] - u[0])

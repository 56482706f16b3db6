"""The log likelihood of each observation law with its slopes, derived by hand, of a batch of chains at once.

A law takes y (n,), predictors eta (chain, n), parameters {name: (chain,)} and the scales that are known, as in `laws`.
It gives the value (chain,), the slope in eta (chain, n), a factor by which that slope is still to be multiplied, a
number or (chain,), and the slope in each scale that is not known, (chain,). The factor saves a pass over n: a matrix
product of the slope comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from backends.torch import laws

Tensors = laws.Tensors
Known = Mapping[str, float]


class Slopes(NamedTuple):
    """The log likelihood and its slopes, as above."""

    value: Tensor
    along: Tensor
    factor: Tensor | float
    scales: Mapping[str, Tensor]


def normal(y: Tensor, eta: Tensor, params: Tensors, known: Known) -> Slopes:
    """Gaussian: residuals over sigma², of as many observations as `count` says where y is what stands for them."""
    residual = y - eta
    squares = torch.linalg.vecdot(residual, residual)
    if "sigma" in known:
        weight = known["sigma"] ** -2
        return Slopes(squares * (-0.5 * weight), residual, weight, {})
    n, inverse = params.get("count", y.shape[-1]), params["sigma"].reciprocal()
    weight = inverse * inverse
    scaled = squares * weight
    value = torch.sub(torch.log(inverse) * n, scaled, alpha=0.5)
    return Slopes(value, residual, weight, {"sigma": (scaled - n) * inverse})


def known_errors(y: Tensor, mean: Tensor, params: Tensors, known: Known) -> Slopes:
    """Gaussian, of a known standard error for each observation."""
    standard = (y - mean) / params["errors"]
    return Slopes(-0.5 * standard.square().sum(-1), standard / params["errors"], 1.0, {})


def bernoulli(y: Tensor, logits: Tensor, params: Tensors, known: Known) -> Slopes:
    """Bernoulli: by the sign of each observation, in the form that never overflows."""
    sign = 2 * y - 1
    signed = sign * logits
    return Slopes(logsigmoid(signed).sum(-1), torch.sigmoid(signed.neg_()).mul_(sign), 1.0, {})


def student_t(y: Tensor, mean: Tensor, params: Tensors, known: Known) -> Slopes:
    """Student's t: the ratio of squares q to df enters as log(1 + q) and q/(1 + q)."""
    sigma, df = (y.new_tensor(known[name]) if name in known else params[name] for name in ("sigma", "df"))
    residual, n = y - mean, y.shape[-1]
    q = residual.square() / (df * sigma.square()).unsqueeze(-1)
    share = q / (1 + q)
    logs, shares = torch.log1p(q).sum(-1), share.sum(-1)
    value = -n * torch.log(sigma) - (df + 1) / 2 * logs
    scales = {}
    if "sigma" not in known:
        scales["sigma"] = ((df + 1) * shares - n) / sigma
    if "df" not in known:
        half = (df + 1) / 2
        value = value + n * (torch.lgamma(half) - torch.lgamma(df / 2) - 0.5 * torch.log(df))
        of_constant = torch.digamma(half) - torch.digamma(df / 2) - 1 / df
        scales["df"] = 0.5 * (n * of_constant - logs) + half * shares / df
    factor = ((df + 1) / (df * sigma.square())).expand(len(mean))
    return Slopes(value.expand(len(mean)), residual / (1 + q), factor, scales)


def binomial(y: Tensor, logits: Tensor, params: Tensors, known: Known) -> Slopes:
    """Binomial of `trials` per row."""
    missed = params["trials"] - y
    value = (y * logsigmoid(logits) + missed * logsigmoid(-logits)).sum(-1)
    return Slopes(value, y * torch.sigmoid(-logits) - missed * torch.sigmoid(logits), 1.0, {})


def poisson(y: Tensor, log_rate: Tensor, params: Tensors, known: Known) -> Slopes:
    """Poisson by its log rate."""
    rate = torch.exp(log_rate)
    return Slopes((y * log_rate - rate).sum(-1), y - rate, 1.0, {})


def negative_binomial(y: Tensor, log_mean: Tensor, params: Tensors, known: Known) -> Slopes:
    """Negative binomial: by the odds mu/phi, whose logarithm has slope 1 in eta and −1/phi in phi."""
    inferred = "phi" not in known
    phi = (params["phi"] if inferred else y.new_tensor(known["phi"])).unsqueeze(-1)
    odds = log_mean - torch.log(phi)
    log_none = logsigmoid(-odds)
    value = (phi * log_none + y * logsigmoid(odds)).sum(-1)
    along = y * torch.sigmoid(-odds) - phi * torch.sigmoid(odds)
    if not inferred:
        return Slopes(value, along, 1.0, {})
    value = value + (torch.lgamma(y + phi) - torch.lgamma(phi)).sum(-1)
    of_constant = torch.digamma(y + phi) - torch.digamma(phi)
    return Slopes(value, along, 1.0, {"phi": (log_none + of_constant - along / phi).sum(-1)})


def gamma(y: Tensor, log_mean: Tensor, params: Tensors, known: Known) -> Slopes:
    """Gamma by its log mean."""
    shape, n = y.new_tensor(known["shape"]) if "shape" in known else params["shape"], y.shape[-1]
    log_ratio = torch.log(y) - log_mean
    ratio = torch.exp(log_ratio)
    total = (log_ratio - ratio).sum(-1)
    factor = shape.expand(len(log_mean))
    if "shape" in known:
        return Slopes(shape * total, ratio - 1, factor, {})
    value = shape * total + n * (shape * torch.log(shape) - torch.lgamma(shape))
    return Slopes(value, ratio - 1, factor, {"shape": total + n * (torch.log(shape) + 1 - torch.digamma(shape))})


Law = Callable[[Tensor, Tensor, Tensors, Known], Slopes]
BY_FAMILY: Mapping[str, Law] = {
    "linear": normal,
    "varying_intercept": normal,
    "eight_schools": known_errors,
    "logistic": bernoulli,
    "robust": student_t,
    "binomial": binomial,
    "poisson": poisson,
    "negative_binomial": negative_binomial,
    "gamma": gamma,
}

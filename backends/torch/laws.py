"""The log likelihood of each observation law, up to a constant, at predictors (…, n): (…)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

Tensors = Mapping[str, Tensor]


def normal(y: Tensor, mean: Tensor, params: Tensors, known: Mapping[str, float]) -> Tensor:
    """Gaussian, up to N/2·log 2π, and up to N·log sigma where sigma is known."""
    squares = (y - mean).square().sum(-1)
    if "sigma" in known:
        return squares * (-0.5 / known["sigma"] ** 2)
    return -y.shape[-1] * torch.log(params["sigma"]) - squares / (2 * params["sigma"].square())


def bernoulli(y: Tensor, logits: Tensor, params: Tensors, known: Mapping[str, float]) -> Tensor:
    """Bernoulli: log(1 + exp) in the form that never overflows."""
    return logsigmoid((2 * y - 1) * logits).sum(-1)


def student_t(y: Tensor, mean: Tensor, params: Tensors, known: Mapping[str, float]) -> Tensor:
    """Student's t; the terms that depend on df alone are included where df is inferred."""
    sigma, df = (y.new_tensor(known[name]) if name in known else params[name] for name in ("sigma", "df"))
    ratio, n = (y - mean) / sigma.unsqueeze(-1), y.shape[-1]
    value = -n * torch.log(sigma) - (df + 1) / 2 * torch.log1p(ratio.square() / df.unsqueeze(-1)).sum(-1)
    if "df" in known:
        return value
    return value + n * (torch.lgamma((df + 1) / 2) - torch.lgamma(df / 2) - 0.5 * torch.log(df))


def binomial(y: Tensor, logits: Tensor, params: Tensors, known: Mapping[str, float]) -> Tensor:
    """Binomial of `trials` per row."""
    return (y * logsigmoid(logits) + (params["trials"] - y) * logsigmoid(-logits)).sum(-1)


def poisson(y: Tensor, log_rate: Tensor, params: Tensors, known: Mapping[str, float]) -> Tensor:
    """Poisson by its log rate: −∞ where exp overflows, never NaN."""
    return (y * log_rate - torch.exp(log_rate)).sum(-1)


def negative_binomial(y: Tensor, log_mean: Tensor, params: Tensors, known: Mapping[str, float]) -> Tensor:
    """Negative binomial of variance mu + mu²/phi; the terms in phi alone are included where phi is inferred."""
    phi = (y.new_tensor(known["phi"]) if "phi" in known else params["phi"]).unsqueeze(-1)
    odds = log_mean - torch.log(phi)
    value = (phi * logsigmoid(-odds) + y * logsigmoid(odds)).sum(-1)
    return value if "phi" in known else value + (torch.lgamma(y + phi) - torch.lgamma(phi)).sum(-1)


def gamma(y: Tensor, log_mean: Tensor, params: Tensors, known: Mapping[str, float]) -> Tensor:
    """Gamma by its log mean; the terms in the shape alone are included where it is inferred."""
    shape = y.new_tensor(known["shape"]) if "shape" in known else params["shape"]
    log_ratio = torch.log(y) - log_mean
    value = shape * (log_ratio - torch.exp(log_ratio)).sum(-1)
    return value if "shape" in known else value + y.shape[-1] * (shape * torch.log(shape) - torch.lgamma(shape))


BY_FAMILY: Mapping[str, Callable[[Tensor, Tensor, Tensors, Mapping[str, float]], Tensor]] = {
    "linear": normal,
    "varying_intercept": normal,
    "logistic": bernoulli,
    "robust": student_t,
    "binomial": binomial,
    "poisson": poisson,
    "negative_binomial": negative_binomial,
    "gamma": gamma,
}

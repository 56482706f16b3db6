"""The log density of every prior, written out: −∞ outside its support, finite gradients everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from bench.types import Prior

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def _positive(x: Tensor, log_density: Tensor) -> Tensor:
    return torch.where(x > 0, log_density, -math.inf)


def _flat(x: Tensor) -> Tensor:
    return torch.zeros_like(x)


def _normal(x: Tensor, loc: float, scale: float) -> Tensor:
    return (x - loc).square() * (-0.5 / scale**2) - (math.log(scale) + _HALF_LOG_2PI)


def _uniform(x: Tensor, low: float, high: float) -> Tensor:
    return torch.where((x > low) & (x < high), -math.log(high - low), -math.inf).to(x.dtype)


def _student_t(x: Tensor, df: float, loc: float, scale: float) -> Tensor:
    constant = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi) - math.log(scale)
    return constant - (df + 1) / 2 * torch.log1p(((x - loc) / scale).square() / df)


def _cauchy(x: Tensor, loc: float, scale: float) -> Tensor:
    return -math.log(math.pi * scale) - torch.log1p(((x - loc) / scale).square())


def _exponential(x: Tensor, rate: float) -> Tensor:
    return _positive(x, math.log(rate) - rate * x)


def _half_normal(x: Tensor, scale: float) -> Tensor:
    return _positive(x, math.log(2) + _normal(x, 0.0, scale))


def _half_cauchy(x: Tensor, scale: float) -> Tensor:
    return _positive(x, math.log(2) + _cauchy(x, 0.0, scale))


def _log_normal(x: Tensor, loc: float, scale: float) -> Tensor:
    log_x = torch.log(torch.where(x > 0, x, 1.0))
    return _positive(x, _normal(log_x, loc, scale) - log_x)


_LOG_DENSITIES: dict[str, Callable[..., Tensor]] = {
    "flat": _flat,
    "normal": _normal,
    "uniform": _uniform,
    "student_t": _student_t,
    "cauchy": _cauchy,
    "exponential": _exponential,
    "half_normal": _half_normal,
    "half_cauchy": _half_cauchy,
    "log_normal": _log_normal,
}


def log_prob(prior: Prior, x: Tensor) -> Tensor:
    """Elementwise log density of `prior` at x, normalised unless it is flat."""
    return _LOG_DENSITIES[prior.name](x, *prior.args)

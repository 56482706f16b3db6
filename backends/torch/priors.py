"""The log density of every prior, written out: −∞ outside its support, finite gradients everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from bench.types import Prior

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


Argument = float | Tensor
"""A number for all elements, or one for each, (J,)."""


def _log(value: Argument) -> Argument:
    return torch.log(value) if isinstance(value, Tensor) else math.log(value)


def _lgamma(value: Argument) -> Argument:
    return torch.lgamma(value) if isinstance(value, Tensor) else math.lgamma(value)


def _positive(x: Tensor, log_density: Tensor) -> Tensor:
    return torch.where(x > 0, log_density, -math.inf)


def _flat(x: Tensor) -> Tensor:
    return torch.zeros_like(x)


def _normal(x: Tensor, loc: Argument, scale: Argument) -> Tensor:
    return (x - loc).square() * (-0.5 / scale**2) - (_log(scale) + _HALF_LOG_2PI)


def _uniform(x: Tensor, low: float, high: float) -> Tensor:
    return torch.where((x > low) & (x < high), -math.log(high - low), -math.inf).to(x.dtype)


def _student_t(x: Tensor, df: Argument, loc: Argument, scale: Argument) -> Tensor:
    constant = _lgamma((df + 1) / 2) - _lgamma(df / 2) - 0.5 * _log(df * math.pi) - _log(scale)
    return constant - (df + 1) / 2 * torch.log1p(((x - loc) / scale).square() / df)


def _cauchy(x: Tensor, loc: Argument, scale: Argument) -> Tensor:
    return -_log(math.pi * scale) - torch.log1p(((x - loc) / scale).square())


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
    return _LOG_DENSITIES[prior.name](x, *(_of_elements(a, x.dtype, x.device) for a in prior.args))


def _of_elements(value: float | tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Argument:
    if not isinstance(value, tuple):
        return value
    made = torch.tensor if torch.compiler.is_compiling() else _tensor  # a cache cannot be traced
    return made(value, dtype=dtype, device=device)


@lru_cache(maxsize=32)
def _tensor(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=dtype, device=device)  # made once, not at each gradient


Both = tuple[Tensor, Tensor]


def _normal_both(x: Tensor, loc: Argument, scale: Argument) -> Both:
    away = x if isinstance(loc, float | int) and loc == 0.0 else x - loc
    slope = away * -(scale**-2)
    return 0.5 * away * slope, slope


def _student_t_both(x: Tensor, df: Argument, loc: Argument, scale: Argument) -> Both:
    away, width = x - loc, df * scale**2
    squares = away.square()
    return torch.log1p(squares / width) * (-0.5 * (df + 1)), away * -(df + 1) / (width + squares)


def _cauchy_both(x: Tensor, loc: Argument, scale: Argument) -> Both:
    return _student_t_both(x, 1.0, loc, scale)


def _log_normal_both(x: Tensor, loc: float, scale: float) -> Both:
    log_x = torch.log(x)
    value, slope = _normal_both(log_x, loc, scale)
    return value - log_x, (slope - 1.0) / x


_WITH_SLOPES: dict[str, Callable[..., Both]] = {
    "normal": _normal_both,
    "student_t": _student_t_both,
    "cauchy": _cauchy_both,
    "exponential": lambda x, rate: (x * -rate, torch.full_like(x, -rate)),
    "half_normal": lambda x, scale: _normal_both(x, 0.0, scale),
    "half_cauchy": lambda x, scale: _cauchy_both(x, 0.0, scale),
    "log_normal": _log_normal_both,
}


def with_slope(prior: Prior) -> Callable[[Tensor], Both] | None:
    """Elementwise log density of what lies inside the support, up to a constant, and its slope by hand.

    None where both are constant: flat and uniform.
    """
    both = _WITH_SLOPES.get(prior.name)
    return both and (lambda x: both(x, *(_of_elements(a, x.dtype, x.device) for a in prior.args)))

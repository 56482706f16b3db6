"""The unconstrained vector in blocks of one kind of support and one kind of prior, with what each adds to a gradient.

Derived by hand: the change of variables of each support, and the priors' slopes, which `priors` has.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from backends.torch.priors import with_slope
from bench.types import Dataset, Parameter, Prior


class Natural(NamedTuple):
    """A block of z on its natural scale x, with dx/dz, log |dx/dz|, and the slope of that in z."""

    x: Tensor
    stretch: Tensor
    log_stretch: Tensor
    bend: Tensor | float


class Block(NamedTuple):
    """Adjacent elements of z with one kind of support and one kind of prior: a site, or weights and bias together.

    `natural` is None where z is x, `prior` where its density is constant.
    """

    name: str
    size: int
    natural: Callable[[Tensor], Natural] | None
    prior: Callable[[Tensor], tuple[Tensor, Tensor]] | None


def blocks(data: Dataset) -> list[Block]:
    """Every site; weights and bias as one where their supports are the same and their priors of one kind."""
    found, sites = list[Block](), list(data.sites)
    names = [p.name for p in sites]
    if "bias" in names and names.index("bias") == names.index("weights") + 1:
        at = names.index("weights")
        joined = _joined(data, sites[at], sites[at + 1])
        if joined is not None:
            found, sites = [joined], sites[:at] + sites[at + 2 :]
            assert at == 0, "coefficients come first where there is a bias"
    return found + [_block(p.name, p.size, p, data.priors.get(p.name)) for p in sites]


def _joined(data: Dataset, weights: Parameter, bias: Parameter) -> Block | None:
    one, other = data.priors["weights"], data.priors["bias"]
    if one.name != other.name or (weights.lower, weights.upper) != (bias.lower, bias.upper):
        return None
    args = tuple(
        a if a == b else _each(a, weights.size) + _each(b, 1) for a, b in zip(one.args, other.args, strict=True)
    )
    prior = one if one.name == "uniform" else Prior(one.name, args)
    return _block("weights", weights.size + 1, weights, prior)


def _each(value: float | tuple[float, ...], size: int) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,) * size


def _block(name: str, size: int, site: Parameter, prior: Prior | None) -> Block:
    natural: Callable[[Tensor], Natural] | None = None
    if np.isfinite(site.upper):
        natural = partial(_interval, site.lower, site.upper - site.lower)
    elif np.isfinite(site.lower):
        natural = partial(_above, site.lower)
    return Block(name, size, natural, with_slope(prior) if prior else None)


def _above(lower: float, z: Tensor) -> Natural:
    stretch = torch.exp(z)
    return Natural(stretch + lower if lower else stretch, stretch, z, 1.0)


def _interval(lower: float, width: float, z: Tensor) -> Natural:
    share, rest = torch.sigmoid(z), torch.sigmoid(-z)
    x = share * width
    stretch = x * rest
    return Natural(x + lower if lower else x, stretch, torch.log(stretch), rest - share)

"""The log posterior with its gradient: by autograd for any model, by hand where `likelihoods` has the family.

By hand it takes a fraction of the time where data are small: there the cost is the number of tensor operations. Links
other than the usual one, and models of a user, are left to autograd.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from backends.torch import laws
from backends.torch.blocks import Block, blocks
from backends.torch.likelihoods import Likelihood, Regression, Tensors, likelihood
from bench.types import Dataset

Gradient = Callable[[Tensor], tuple[Tensor, Tensor]]
"""z (chain, dim) → log density (chain,), up to a constant, and gradient (chain, dim)."""


def by_autograd(density: Callable[[Tensor], Tensor]) -> Gradient:
    """Of any log density that is batched over chains."""

    def value_and_slope(z: Tensor) -> tuple[Tensor, Tensor]:
        leaf = z.detach().requires_grad_()
        with torch.enable_grad():
            value = density(leaf)
        (slope,) = torch.autograd.grad(value, leaf, torch.ones_like(value))
        return value.detach(), slope

    return value_and_slope


class Evaluate(NamedTuple):
    """Log density and gradient by hand as a function of prepared arrays and z alone, on the scale of the blocks."""

    of_data: Likelihood
    blocks: tuple[Block, ...]

    def prepared(self, arrays: Tensors) -> dict[str, Tensor]:
        """The arrays, and what is made of them once."""
        return self.of_data.prepared(arrays)

    def __call__(self, arrays: Tensors, z: Tensor) -> tuple[Tensor, Tensor]:
        """(chain,) and (chain, dim) at z (chain, dim)."""
        names, sizes = [b.name for b in self.blocks], [b.size for b in self.blocks]
        pieces = dict(zip(names, z.split(sizes, -1), strict=True))
        naturals = {b.name: b.natural(pieces[b.name]) for b in self.blocks if b.natural}
        pieces |= {name: block.x for name, block in naturals.items()}
        value, gradient = self.of_data(arrays, pieces)
        for name, size, _, prior in self.blocks:
            if prior is not None:
                of_prior, slope = prior(pieces[name])
                value, gradient[name] = value + _total(of_prior, size), gradient[name] + slope
            if name in naturals:
                _, stretch, log_stretch, bend = naturals[name]
                value, gradient[name] = value + _total(log_stretch, size), gradient[name] * stretch + bend
        return value, torch.cat([gradient[name] for name in names], -1)


def functional(data: Dataset, *, natural: bool = False) -> Evaluate | None:
    """Of all sites on the unconstrained scale, Jacobian included, or on their `natural` one; None if not by hand.

    It reads shapes, priors and supports of the data, never a value.
    """
    found = tuple(blocks(data))
    of_data = likelihood(data, [block.name for block in found])
    if of_data is None:
        return None
    return Evaluate(of_data, tuple(b._replace(natural=None) for b in found) if natural else found)


def by_hand(data: Dataset, arrays: Tensors, *, natural: bool = False) -> Gradient | None:
    """`functional` of these arrays; −∞ or NaN outside the support."""
    evaluate = functional(data, natural=natural)
    if evaluate is None:
        return None
    prepared = evaluate.prepared(arrays)
    if not natural:
        return partial(evaluate, prepared)
    inside = _inside(data, arrays)

    def within(theta: Tensor) -> tuple[Tensor, Tensor]:
        value, slope = evaluate(prepared, theta)
        return torch.where(inside(theta), value, -torch.inf), slope

    return within


def density_by_hand(data: Dataset, arrays: Tensors) -> Callable[[Tensor], Tensor] | None:
    """The value alone, of natural sites (chain, dim) of a regression without groups: −∞ outside the support.

    All bounds are one comparison of whole vectors, and uniform priors no more than that.
    """
    if data.family not in laws.BY_FAMILY or data.link or "group" in arrays:
        return None
    found = blocks(data)
    sizes, names = [block.size for block in found], [block.name for block in found]
    of_data = Regression(data, names)
    prepared, inside = of_data.prepared(arrays), _inside(data, arrays)

    def density(theta: Tensor) -> Tensor:
        pieces = dict(zip(names, theta.split(sizes, -1), strict=True))
        value = of_data.value(prepared, pieces)
        for block in found:
            if block.prior is not None:
                value = value + _total(block.prior(pieces[block.name])[0], block.size)
        return torch.where(inside(theta), value, -torch.inf)

    return density


def _inside(data: Dataset, arrays: Tensors) -> Callable[[Tensor], Tensor]:
    """Whether natural sites (chain, dim) are all inside their supports, (chain,)."""
    like = next(x for x in arrays.values() if x.is_floating_point())
    low, high = (
        like.new_tensor([bound for p in data.sites for bound in [getattr(p, end)] * p.size])
        for end in ("lower", "upper")
    )
    return lambda theta: ((theta > low) & (theta < high)).all(-1)


def _total(x: Tensor, size: int) -> Tensor:
    return x.squeeze(-1) if size == 1 else x.sum(-1)

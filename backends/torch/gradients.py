"""The log posterior of a regression with its gradient, derived by hand: one matrix product each way, for all chains.

What autograd does for any model, in a fraction of the time where data are small: there the cost is the number of tensor
operations. Observations are at eta = design·coefficients + offset + the intercept of their group; `slopes` has the
laws. Links other than the usual one, and models that are no regressions, are left to autograd.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from backends.torch import laws, slopes
from backends.torch.priors import with_slope
from bench.types import Dataset, Parameter, Prior

Gradient = Callable[[Tensor], tuple[Tensor, Tensor]]
"""z (chain, dim) → log density (chain,), up to a constant, and gradient (chain, dim)."""
Pieces = dict[str, Tensor]
"""{block: (chain, size)}."""


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


def by_autograd(density: Callable[[Tensor], Tensor]) -> Gradient:
    """Of any log density that is batched over chains."""

    def value_and_slope(z: Tensor) -> tuple[Tensor, Tensor]:
        leaf = z.detach().requires_grad_()
        with torch.enable_grad():
            value = density(leaf)
        (slope,) = torch.autograd.grad(value, leaf, torch.ones_like(value))
        return value.detach(), slope

    return value_and_slope


def by_hand(data: Dataset, arrays: slopes.Tensors, *, natural: bool = False) -> Gradient | None:
    """Of a regression with the usual link, with or without intercepts by group; None where it is none.

    Of all sites on the unconstrained scale, Jacobian included, or on their `natural` one, without; −∞ or NaN outside
    the support.
    """
    law = slopes.BY_FAMILY.get(data.law or data.family)
    if law is None or data.link or "x" not in arrays:
        return None
    blocks = [b._replace(natural=None) for b in _blocks(data)] if natural else _blocks(data)
    sizes, names = [block.size for block in blocks], [block.name for block in blocks]
    known = {name: prior.args[0] for name, prior in data.priors.items() if prior.name == "known"}
    predictor = _Predictor(data, arrays)
    scaled = [p.name for p in data.sites if p.bounded and p.name in names and not p.shape]
    bounds = [(p.name, p.lower, p.upper) for p in data.sites if p.bounded and p.name in names]

    def value_and_slope(z: Tensor) -> tuple[Tensor, Tensor]:
        pieces = dict(zip(names, z.split(sizes, -1), strict=True))
        naturals = {b.name: b.natural(pieces[b.name]) for b in blocks if b.natural}
        pieces |= {name: block.x for name, block in naturals.items()}
        scales = {name: pieces[name].squeeze(-1) for name in scaled}
        found = law(arrays["y"], predictor.at(pieces), {**arrays, **scales}, known)
        value, gradient = predictor.back(pieces, found)
        if natural:
            for name, low, high in bounds:
                inside = ((pieces[name] > low) & (pieces[name] < high)).all(-1)
                value = torch.where(inside, value, -torch.inf)
        for block in blocks:
            name = block.name
            if block.prior is not None:
                of_prior, slope = block.prior(pieces[name])
                value, gradient[name] = value + of_prior.sum(-1), gradient[name] + slope
            if name in naturals:
                _, stretch, log_stretch, bend = naturals[name]
                value, gradient[name] = value + log_stretch.sum(-1), gradient[name] * stretch + bend
        return value, torch.cat([gradient[name] for name in names], -1)

    return value_and_slope


def density_by_hand(data: Dataset, arrays: slopes.Tensors) -> Callable[[Tensor], Tensor] | None:
    """The value alone, of natural sites (chain, dim) of a regression without groups: −∞ outside the support.

    All bounds are one comparison of whole vectors, and uniform priors no more than that.
    """
    law = laws.BY_FAMILY.get(data.family)
    if law is None or data.link or "group" in arrays:
        return None
    blocks, predictor = _blocks(data), _Predictor(data, arrays)
    sizes, names = [block.size for block in blocks], [block.name for block in blocks]
    known = {name: prior.args[0] for name, prior in data.priors.items() if prior.name == "known"}
    scaled = [p.name for p in data.sites if p.bounded and p.name in names and not p.shape]
    low, high = (
        arrays["x"].new_tensor([bound for p in data.sites for bound in [getattr(p, end)] * p.size])
        for end in ("lower", "upper")
    )

    def density(theta: Tensor) -> Tensor:
        pieces = dict(zip(names, theta.split(sizes, -1), strict=True))
        scales = {name: pieces[name].squeeze(-1) for name in scaled}
        value = law(arrays["y"], predictor.at(pieces), {**arrays, **scales}, known)
        for block in blocks:
            if block.prior is not None:
                value = value + block.prior(pieces[block.name])[0].sum(-1)
        return torch.where(((theta > low) & (theta < high)).all(-1), value, -torch.inf)

    return density


def design(data: Dataset, arrays: slopes.Tensors) -> Tensor:
    """What the coefficients multiply, (n, p): x, with a column of ones where there is a bias, or what stands for it."""
    if "design" in arrays:
        return arrays["design"]
    x = arrays["x"]
    return torch.cat([x, torch.ones_like(x[:, :1])], 1) if "bias" in data.names else x


class _Predictor:
    """eta of a regression, and the way back from slopes in eta to slopes in the blocks."""

    def __init__(self, data: Dataset, arrays: slopes.Tensors) -> None:
        self.group = arrays["group"].long() if "group" in arrays else None
        self.coefficients = [b.name for b in _blocks(data) if b.name in ("weights", "bias")]
        self.design = design(data, arrays)
        self.across = self.design.mT.contiguous()
        self.offset = arrays.get("offset")
        self.effects = next((p.name for p in data.sites if p.name not in data.priors), "")
        self.centred = not data.coordinates

    def at(self, pieces: Pieces) -> Tensor:
        """(chain, n)."""
        terms = [pieces[name] for name in self.coefficients]
        eta = None
        if terms:
            theta = terms[0] if len(terms) == 1 else torch.cat(terms, -1)
            eta = theta @ self.across if self.offset is None else torch.addmm(self.offset, theta, self.across)
        if self.group is not None:
            a = pieces[self.effects]
            a = a if self.centred else torch.addcmul(pieces["mu"], pieces["tau"], a)
            by_row = a[:, self.group]
            eta = by_row if eta is None else eta + by_row
            eta = eta if terms or self.offset is None else eta + self.offset
        return eta

    def back(self, pieces: Pieces, found: slopes.Slopes) -> tuple[Tensor, Pieces]:
        """The value, with the density of the intercepts by group, and the slope in every block."""
        value, along, factor, scales = found
        factor = factor.unsqueeze(-1) if isinstance(factor, Tensor) else factor
        gradient = {name: slope.unsqueeze(-1) for name, slope in scales.items()}
        if self.coefficients:
            slope = (
                along @ self.design if isinstance(factor, float) and factor == 1.0 else (along @ self.design) * factor
            )
            parts = slope.split([pieces[name].shape[-1] for name in self.coefficients], -1)
            gradient |= dict(zip(self.coefficients, parts, strict=True))
        if self.group is not None:
            effects, tau = pieces[self.effects], pieces["tau"]
            of_rows = torch.zeros_like(effects).index_add_(1, self.group, along) * factor
            if self.centred:
                standard = (effects - pieces["mu"]) / tau
                value = value - effects.shape[-1] * torch.log(tau).squeeze(-1)
                gradient[self.effects] = of_rows - standard / tau
                gradient["mu"] = standard.sum(-1, keepdim=True) / tau
                gradient["tau"] = (standard.square().sum(-1, keepdim=True) - effects.shape[-1]) / tau
            else:
                standard = effects
                gradient[self.effects] = torch.addcmul(-standard, of_rows, tau)
                gradient["mu"] = of_rows.sum(-1, keepdim=True)
                gradient["tau"] = (of_rows * standard).sum(-1, keepdim=True)
            value = value - 0.5 * standard.square().sum(-1)
        return value, gradient


def _blocks(data: Dataset) -> list[Block]:
    """Every site; weights and bias as one where their supports are the same and their priors of one kind."""
    blocks, sites = list[Block](), list(data.sites)
    names = [p.name for p in sites]
    if "bias" in names and names.index("bias") == names.index("weights") + 1:
        at = names.index("weights")
        joined = _joined(data, sites[at], sites[at + 1])
        if joined is not None:
            blocks, sites = [joined], sites[:at] + sites[at + 2 :]
            assert at == 0, "coefficients come first where there is a bias"
    return blocks + [_block(p.name, p.size, p, data.priors.get(p.name)) for p in sites]


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
    share = torch.sigmoid(z)
    x = share * width
    rest = torch.sigmoid(-z)
    return Natural(x + lower if lower else x, x * rest, logsigmoid(z).mul_(2.0).sub_(z), rest - share)

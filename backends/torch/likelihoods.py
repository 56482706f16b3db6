"""The log likelihood in blocks with its slopes, by hand: of regressions, of hierarchies, and of two groups.

One matrix product each way, for all chains. `prepared` arrays have what is made of the data once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from backends.torch import laws, slopes
from bench.types import Dataset

Tensors = laws.Tensors
Pieces = Mapping[str, Tensor]
"""{block: (chain, size)}, on the natural scale."""


class Likelihood(Protocol):
    """Of a family, at pieces of all sites: the value (chain,), up to a constant, and the slope in every block."""

    def prepared(self, arrays: Tensors) -> dict[str, Tensor]:
        """The arrays, and what is made of them once."""

    def __call__(self, arrays: Tensors, pieces: Pieces) -> tuple[Tensor, dict[str, Tensor]]:
        """Of prepared arrays."""


def likelihood(data: Dataset, names: list[str]) -> Likelihood | None:
    """That of the family, for sites in blocks of these names; None where it is not written by hand."""
    if data.family == "two_groups":
        return TwoGroups()
    known = (data.law or data.family) in slopes.BY_FAMILY and not data.link
    return Regression(data, names) if known else None


class Regression:
    """Observations at eta = design·coefficients + offset + the intercept of their group; `slopes` has the laws.

    Where there is neither x nor group, as of the eight schools, every observation is a group of its own.
    """

    def __init__(self, data: Dataset, names: list[str]) -> None:
        self.family, self.law = data.family, slopes.BY_FAMILY[data.law or data.family]
        self.bias = "bias" in data.names
        self.coefficients = [name for name in names if name in ("weights", "bias")]
        self.effects = next((p.name for p in data.sites if p.name not in data.priors), "")
        self.centred = not data.coordinates
        self.known = {name: prior.args[0] for name, prior in data.priors.items() if prior.name == "known"}
        self.scales = [p.name for p in data.sites if p.bounded and p.name in names and not p.shape]

    def prepared(self, arrays: Tensors) -> dict[str, Tensor]:
        """With the design both ways."""
        made = dict(arrays)
        if self.coefficients:
            made["design"] = design(arrays, bias=self.bias)
            made["across"] = made["design"].mT.contiguous()
        if "group" in made:
            made["group"] = made["group"].long()
        return made

    def value(self, arrays: Tensors, pieces: Pieces) -> Tensor:
        """The value alone, without groups, (chain,)."""
        return laws.BY_FAMILY[self.family](arrays["y"], self._eta(arrays, pieces), self._at(arrays, pieces), self.known)

    def __call__(self, arrays: Tensors, pieces: Pieces) -> tuple[Tensor, dict[str, Tensor]]:
        """With the density of the intercepts by group."""
        value, along, factor, scales = self.law(
            arrays["y"], self._eta(arrays, pieces), self._at(arrays, pieces), self.known
        )
        factor = factor.unsqueeze(-1) if isinstance(factor, Tensor) else factor
        gradient = {name: slope.unsqueeze(-1) for name, slope in scales.items()}
        if self.coefficients:
            slope = along @ arrays["design"]
            slope = slope if isinstance(factor, float) and factor == 1.0 else slope * factor
            parts = slope.split([pieces[name].shape[-1] for name in self.coefficients], -1)
            gradient |= dict(zip(self.coefficients, parts, strict=True))
        if self.effects:
            of_effects = along
            if "group" in arrays:
                of_effects = torch.zeros_like(pieces[self.effects]).index_add_(1, arrays["group"], along)
            value, more = self._of_effects(value, of_effects * factor, pieces)
            gradient |= more
        return value, gradient

    def _at(self, arrays: Tensors, pieces: Pieces) -> dict[str, Tensor]:
        return {**arrays, **{name: pieces[name].squeeze(-1) for name in self.scales}}

    def _eta(self, arrays: Tensors, pieces: Pieces) -> Tensor:
        """(chain, n)."""
        terms, offset, eta = [pieces[name] for name in self.coefficients], arrays.get("offset"), None
        if terms:
            theta = terms[0] if len(terms) == 1 else torch.cat(terms, -1)
            eta = theta @ arrays["across"] if offset is None else torch.addmm(offset, theta, arrays["across"])
        if not self.effects:
            return eta
        effects = pieces[self.effects]
        effects = effects if self.centred else torch.addcmul(pieces["mu"], pieces["tau"], effects)
        by_row = effects[:, arrays["group"]] if "group" in arrays else effects
        if eta is None:
            return by_row if offset is None else by_row + offset
        return eta + by_row

    def _of_effects(self, value: Tensor, slope: Tensor, pieces: Pieces) -> tuple[Tensor, dict[str, Tensor]]:
        """The value with the density of the effects, and what the slope (chain, group) in them means for the sites."""
        effects, tau, gradient = pieces[self.effects], pieces["tau"], {}
        if self.centred:
            standard = (effects - pieces["mu"]) / tau
            value = value - effects.shape[-1] * torch.log(tau).squeeze(-1)
            gradient[self.effects] = slope - standard / tau
            gradient["mu"] = standard.sum(-1, keepdim=True) / tau
            gradient["tau"] = (standard.square().sum(-1, keepdim=True) - effects.shape[-1]) / tau
        else:
            standard = effects
            gradient[self.effects] = torch.addcmul(-standard, slope, tau)
            gradient["mu"] = slope.sum(-1, keepdim=True)
            gradient["tau"] = (slope * standard).sum(-1, keepdim=True)
        return value - 0.5 * standard.square().sum(-1), gradient


class TwoGroups:
    """Two normal samples with a mean and a scale each; `member` (n, 2) has a one where a row is of a group."""

    def prepared(self, arrays: Tensors) -> dict[str, Tensor]:
        """Both groups one after the other."""
        groups = (arrays["y1"], arrays["y2"])
        member = torch.block_diag(*(torch.ones_like(y).unsqueeze(-1) for y in groups))
        return {"y": torch.cat(groups), "member": member, "across": member.mT.contiguous(), "size": member.sum(0)}

    def __call__(self, arrays: Tensors, pieces: Pieces) -> tuple[Tensor, dict[str, Tensor]]:
        """Residuals, and sums of them and of their squares by group."""
        sigma, member = pieces["sigma"], arrays["member"]
        residual = arrays["y"] - pieces["mu"] @ arrays["across"]
        weight = sigma.square().reciprocal()
        scaled = (residual.square() @ member) * weight
        value = -torch.addcmul(0.5 * scaled, arrays["size"], torch.log(sigma)).sum(-1)
        return value, {"mu": (residual @ member) * weight, "sigma": (scaled - arrays["size"]) / sigma}


def design(arrays: Tensors, *, bias: bool) -> Tensor:
    """What the coefficients multiply, (n, p): x, with a column of ones where there is a bias, or what stands for it."""
    if "design" in arrays:
        return arrays["design"]
    x = arrays["x"]
    return torch.cat([x, torch.ones_like(x[:, :1])], 1) if bias else x

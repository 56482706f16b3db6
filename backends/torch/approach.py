"""The way from starts to a mode, each chain by L-BFGS, all as one batch, and the curvature there.

What Pathfinder (Zhang, Carpenter, Gelman & Vehtari 2022) does before it chooses a normal. Chains in the tails hold an
ensemble's step size down for all; from a mode a trajectory or two leads to where the posterior's mass is.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from backends.torch.hamiltonian import Point, Target

STEPS, TRIES, HISTORY = 100, 12, 8
"""Steps uphill at most, lengths tried for one, and pairs of steps and changes of slope that stand for the Hessian."""
SHORTER, RISE = 0.3, 1e-4
"""What a length is multiplied by that gains less than this share of what the slope promised (Armijo)."""
REST, PATIENCE = 0.1, 5
"""A chain is at rest after so many steps one after another that gained fewer nats, if the next promises fewer, too."""


class Pair(NamedTuple):
    """A step s and the change of slope y along it, (chain, dim), and 1/(s·y) (chain, 1), 0 where it is of no use."""

    s: Tensor
    y: Tensor
    weight: Tensor


class Curvature(NamedTuple):
    """Sds (dim,) of the normal that has the curvature of a mode, and in units of them those of two directions."""

    scale: Tensor
    widest: float
    narrowest: float


def climb(target: Target, point: Point) -> tuple[Point, bool]:
    """Where each chain comes to rest, and whether all do."""
    pairs, calm = list[Pair](), torch.zeros_like(point.value)
    tiny = torch.finfo(point.slope.dtype).tiny
    gamma = point.slope.norm(dim=-1, keepdim=True).clamp(min=tiny).reciprocal()
    for _ in range(STEPS):
        way = _direction(point.slope, pairs, gamma)
        promised = torch.linalg.vecdot(way, point.slope)
        measurable = promised > 100.0 * torch.finfo(promised.dtype).eps * point.value.abs()
        after, risen = _search(target, point, way, promised, measurable & (calm < PATIENCE))
        moved = risen.unsqueeze(-1)
        s, y = (torch.where(moved, x, 0.0) for x in (after.z - point.z, point.slope - after.slope))
        along, squares = (torch.linalg.vecdot(y, x).unsqueeze(-1) for x in (s, y))
        usable = along > 1e-10 * squares.sqrt() * s.norm(dim=-1, keepdim=True)
        pairs = [*pairs[1 - HISTORY :], Pair(s, y, torch.where(usable, along.reciprocal(), 0.0))]
        gamma = torch.where(usable, along / squares, gamma)
        calm = torch.where(risen & (after.value > point.value + REST), 0.0, calm + 1.0)
        point = Point(
            torch.where(moved, after.z, point.z), torch.where(risen, after.value, point.value),
            torch.where(moved, after.slope, point.slope),
        )  # fmt: skip
        if (calm >= PATIENCE).all():
            break
    promised = torch.linalg.vecdot(_direction(point.slope, pairs, gamma), point.slope)
    return point, bool((promised < REST).all())


def _direction(slope: Tensor, pairs: list[Pair], gamma: Tensor) -> Tensor:
    """The inverse Hessian that the pairs stand for, times the slope: the two loops of Nocedal (1980)."""
    way, shares = slope, list[Tensor]()
    for pair in reversed(pairs):
        shares.append(pair.weight * torch.linalg.vecdot(pair.s, way).unsqueeze(-1))
        way = torch.addcmul(way, shares[-1], pair.y, value=-1.0)
    way = gamma * way
    for pair, share in zip(pairs, reversed(shares), strict=True):
        way = torch.addcmul(way, share - pair.weight * torch.linalg.vecdot(pair.y, way).unsqueeze(-1), pair.s)
    return way


def _search(target: Target, point: Point, way: Tensor, promised: Tensor, live: Tensor) -> tuple[Point, Tensor]:
    """A point along the way that gains enough, for every live chain that finds one, and which do."""
    length = live.to(way.dtype)
    for _ in range(TRIES):
        after = target(torch.addcmul(point.z, length.unsqueeze(-1), way))
        enough = after.value >= point.value + RISE * length * promised  # False where it is NaN
        enough = enough & torch.isfinite(after.slope).all(-1)
        if (enough | ~live).all():
            break
        length = torch.where(enough, length, SHORTER * length)
    return after, enough & live


def curvature(target: Target, z: Tensor, slope: Tensor, batch: int) -> Curvature | None:
    """By differences of slopes about z (dim,), a gradient for each dimension; None where it is not a maximum."""
    width = torch.finfo(z.dtype).eps ** (1 / 3) * (1.0 + z.abs())
    around = (z + torch.diag(width)).split(batch)
    rows = (slope - torch.cat([target(some).slope for some in around])) / width.unsqueeze(-1)
    factor, failed = torch.linalg.cholesky_ex(0.5 * (rows + rows.mT))
    if failed.item() or not torch.isfinite(factor).all():
        return None
    covariance = torch.cholesky_inverse(factor)
    scale = covariance.diagonal().sqrt()
    variances = torch.linalg.eigvalsh(covariance / torch.outer(scale, scale)).tolist()
    return Curvature(scale, variances[-1] ** 0.5, variances[0] ** 0.5) if variances[0] > 0.0 else None

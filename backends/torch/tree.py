"""One No-U-Turn transition of a batch of chains, iteratively: all of them double together, finished ones are masked.

Multinomial sampling with the generalised U-turn criterion (Betancourt 2017, appendices A.3 and A.4), checked across the
seam of any two subtrees as well, as Stan does. Since chains double together, the subtrees that end at a leaf are the
same for all of them; the leaves of one doubling are kept, at most 2^(depth − 1), and a draw among them is taken at its
end.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from backends.torch.hamiltonian import LARGEST_ERROR, Point, Target, Transition, Tuning, leapfrog, log_joint, normal


class Subtree(NamedTuple):
    """Leaves of one doubling in the order they were reached."""

    points: list[Point]
    p: list[Tensor]  # momenta
    totals: list[Tensor]  # sums of the momenta up to each leaf
    gains: list[Tensor]  # log joint of each leaf less that of the trajectory's start
    alive: list[Tensor]  # chains whose trajectory goes on, before each leaf and after the last


def turning(pairs: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """Whether any stretch (momentum at one end, at the other, sum over it) has made a U-turn, (chain,)."""
    ends = torch.stack([end for one, other, _ in pairs for end in (one, other)])
    sums = torch.stack([total for _, _, total in pairs for _ in (0, 1)])
    return ~(torch.linalg.vecdot(ends, sums) > 0).all(0)


def joined(first: Tensor, last: Tensor, total: Tensor, *others: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Stretches to check where a stretch is joined to the next, given as first, last, total in the order of time.

    Three stretches: both together, the first with the first leaf of the next, and the next with the last leaf of the
    first.
    """
    next_first, next_last, next_total = others
    return [
        (first, next_last, total + next_total),
        (first, next_first, total + next_first),
        (last, next_last, next_total + last),
    ]


def inner(tree: Subtree) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The stretches to check at the newest leaf: those of all subtrees of 2, 4, 8, … leaves that end there."""
    p, totals, count, pairs = tree.p, tree.totals, len(tree.p), []
    size = 2
    while count % size == 0:
        begin, middle = count - size, count - size // 2
        left, right = totals[middle - 1], totals[-1] - totals[middle - 1]
        left = left - totals[begin - 1] if begin else left
        if size == 2:
            pairs.append((p[begin], p[-1], left + right))  # of two leaves all three stretches are the same
        else:
            pairs += joined(p[begin], p[middle - 1], left, p[middle], p[-1], right)
        size *= 2
    return pairs


def grow(target: Target, end: Tensor, start: Tensor, kick: Tensor, *, depth: int, alive: Tensor) -> Subtree:
    """2^depth leaves beyond `end`, or fewer when every chain has turned or diverged; `start` is its log joint.

    An end of each chain's trajectory is its z, slope and p, packed (chain, 3, dim).
    """
    z, slope, p = end.unbind(1)
    point, drift = Point(z, start, slope), 2.0 * kick
    tree = Subtree([], [], [], [], [alive])
    for leaf in range(1, 2**depth + 1):
        point, p = leapfrog(target, point, p, kick, drift)
        gain = log_joint(point.value, p) - start
        tree.points.append(point)
        tree.p.append(p)
        tree.totals.append(p if leaf == 1 else tree.totals[-1] + p)
        tree.gains.append(gain)
        alive = alive & (gain > -LARGEST_ERROR)  # False where it is NaN
        if leaf % 2 == 0:
            alive = alive & ~turning(inner(tree))
        tree.alive.append(alive)
        if not alive.any():
            break
    return tree


def pick(tree: Subtree, weights: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """A leaf per chain in proportion to its weight: packed z and slope (chain, 2, dim), value and log weight (chain,).

    The largest of log weight + Gumbel noise is a draw in proportion to the weights.
    """
    if len(tree.points) == 1:
        (point,) = tree.points
        return torch.stack((point.z, point.slope), 1), point.value, weights[0]
    noise = torch.empty_like(weights).exponential_(generator=generator).log_()
    best = (weights - noise).argmax(0)
    rows = torch.arange(len(best), device=best.device)
    z = torch.stack([point.z for point in tree.points])[best, rows]
    slope = torch.stack([point.slope for point in tree.points])[best, rows]
    value = torch.stack([point.value for point in tree.points])[best, rows]
    return torch.stack((z, slope), 1), value, weights[best, rows]


def transition(
    target: Target, point: Point, tuning: Tuning, *, max_depth: int, generator: torch.Generator
) -> Transition:
    """Double each chain's trajectory until it turns, diverges or is `max_depth` deep."""
    p = normal(point.z, generator)
    start = log_joint(point.value, p)
    uniform = torch.rand((2, max_depth, len(start)), generator=generator, dtype=p.dtype, device=p.device)
    forward, log_u = uniform[0] < 0.5, uniform[1].log()
    kick = (0.5 * tuning.step).unsqueeze(-1) * tuning.scale
    left = right = torch.stack((point.z, point.slope, p), 1)
    total, log_weight = p, torch.zeros_like(start)
    chosen, value, gain = left[:, :2], point.value, torch.zeros_like(start)
    alive = torch.ones_like(start, dtype=torch.bool)
    depth = torch.zeros_like(start, dtype=torch.int64)
    gains, reached = list[Tensor](), list[Tensor]()
    for doubling in range(max_depth):
        going = forward[doubling, :, None, None]
        near, far = torch.where(going, right, left), torch.where(going, left, right)
        tree = grow(target, near, start, torch.where(going[:, 0], kick, -kick), depth=doubling, alive=alive)
        gains += tree.gains
        reached += tree.alive[:-1]
        alive = tree.alive[-1]
        if not alive.any():
            break
        weights = torch.stack(tree.gains)
        weight = weights.logsumexp(0) if doubling else weights[0]
        take = alive & (log_u[doubling] < weight - log_weight)
        leaf, leaf_value, leaf_gain = pick(tree, weights, generator)
        chosen = torch.where(take[:, None, None], leaf, chosen)
        value, gain = torch.where(take, leaf_value, value), torch.where(take, leaf_gain, gain)
        depth = depth + alive
        alive = alive & ~turning(joined(far[:, 2], near[:, 2], total, tree.p[0], tree.p[-1], tree.totals[-1]))
        if not alive.any():
            break
        total, log_weight = total + tree.totals[-1], torch.logaddexp(log_weight, weight)
        end = torch.stack((tree.points[-1].z, tree.points[-1].slope, tree.p[-1]), 1)
        left, right = torch.where(going, left, end), torch.where(going, end, right)
    z, slope = chosen.unbind(1)
    return Transition(Point(z, value, slope), -(start + gain), *_summary(gains, reached), depth)


def _summary(gains: list[Tensor], reached: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Mean acceptance probability, number of leaves and divergence over the leaves each chain reached, (chain,)."""
    gain, counted = torch.stack(gains), torch.stack(reached)
    steps = counted.sum(0)
    accept = torch.where(counted, gain.clamp(max=0.0).exp(), 0.0).nan_to_num(0.0).sum(0) / steps
    return accept, steps, (counted & ~(gain > -LARGEST_ERROR)).any(0)

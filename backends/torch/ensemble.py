"""What an ensemble of chains tunes together: a metric, a trajectory length, and when it has tuned enough.

Length and its gradient are those of ChEES (Hoffman, Radul & Sountsov 2021); windows, metric and stop are not of it. A
warmup ends early as in the cross-chain warmup of Zhang, Gillespie, Bales & Vehtari (2020): where the chains agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

SHORTEST_WINDOW, LAST = 5, 0.8
"""Iterations of the first window of the metric at least, and the share of the warmup after which it is held."""
MEMORY, TINY = 0.95, 1e-20
"""Adam of the paper: squared gradients are remembered at this rate, gradients themselves not."""
CLIP = 0.35
"""Change of a log length in one iteration at most."""
FEWEST = 20
"""Iterations on which chains may agree."""
AGREED, STEADY = 1.02, math.log(1.5)
"""Nested R-hat below which chains agree, and the change of every log scale of the metric below which it is learned."""


def windows(warmup: int) -> list[int]:
    """Counts of iterations after which the metric is learned from the second half of all so far."""
    edges, edge = list[int](), int(LAST * warmup)
    while edge >= 2 * SHORTEST_WINDOW:
        edges.insert(0, edge)
        edge //= 2
    return edges


@dataclass
class Length:
    """The log of the trajectory length, by Adam up the ChEES gradient; sampled with is the average of its iterates.

    Adam's rate falls with the root of its steps: at a constant one noise carries the length of a nearly normal
    posterior, whose criterion has maxima at 2.2, 5.5, 8.6, … sd, from the first to later ones.
    """

    lr: float
    log: float
    average: float = field(init=False)
    count: int = 0
    squares: float = 0.0

    def __post_init__(self) -> None:
        self.average = self.log

    def restart(self, log: float) -> None:
        """Go on from another length, where the metric has changed."""
        self.log, self.count, self.squares = log, 0, 0.0

    def update(self, gradient: float) -> None:
        """One step; none along what is no number."""
        self.count += 1
        if math.isfinite(gradient):
            self.squares = MEMORY * self.squares + (1.0 - MEMORY) * gradient**2
            size = math.sqrt(self.squares / (1.0 - MEMORY**self.count)) + TINY
            self.log += max(-CLIP, min(CLIP, self.lr * gradient / size / math.sqrt(self.count)))
        self.average += (self.log - self.average) * self.count**-0.5


def criterion(before: Tensor, after: Tensor, p: Tensor, accept: Tensor, scale: Tensor) -> Tensor:
    """The ChEES gradient in the log of the trajectory's time, per unit of that time: equation 6 of the paper, ().

    Of positions (chain, dim) before and after with momenta p, all in units of the metric, weighted by the acceptance
    probability; means are of the ensemble, after a trajectory of what was accepted at all.
    """
    usable = (accept > 0.0).unsqueeze(-1)
    after, p = torch.where(usable, after, before), torch.where(usable, p, 0.0)
    centred = torch.stack((before, after)) / scale
    centred = centred - centred.mean(1, keepdim=True)
    squares = centred.square().sum(-1)
    each = (squares[1] - squares[0]) * (centred[1] * p).sum(-1)
    return (accept * each).sum() / (accept.sum() + TINY)


def agreement(draws: Tensor, groups: int) -> float:
    """Nested R-hat (Margossian et al. 2024), the largest of all quantities, of draws (iteration, chain, quantity).

    Chains i, i + groups, i + 2·groups, … are a group; each is split in two halves of time. NaN where a quantity does
    not vary.
    """
    half, size = len(draws) // 2, draws.shape[1] // groups
    split = draws[-2 * half :, : size * groups].reshape(2, half, size, groups, -1)
    within = split.var((1, 2)).mean((0, 1))
    between = split.mean((1, 2)).flatten(0, 1).var(0)
    return (1.0 + between / within).sqrt().max().item()


def settled(draws: Tensor, values: Tensor, groups: int) -> bool:
    """Whether chains agree on draws (iteration, chain, dim) and their log densities (iteration, chain)."""
    if len(draws) < FEWEST:
        return False
    return agreement(torch.cat((draws, values.unsqueeze(-1)), -1), groups) < AGREED  # False where it is NaN


def spread(draws: Tensor) -> tuple[Tensor, float]:
    """Sds (dim,) of draws (iteration, chain, dim), and that of the widest direction in units of them.

    Both about the ensemble's mean at each iteration, so that its way from the starts is not taken for a spread.
    """
    away = draws - draws.mean(1, keepdim=True)
    away = away.flatten(0, 1) * math.sqrt(draws.shape[1] / (draws.shape[1] - 1) / (len(draws) * draws.shape[1]))
    scale = away.square().sum(0).sqrt().clamp(min=TINY)
    away = away / scale
    return scale, math.sqrt(max(torch.linalg.eigvalsh(away.mT @ away)[-1].item(), 1.0))

"""The mode of a log density by `torch.optim.LBFGS`, and the precision there by the gradient of the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from backends.torch.gradients import Gradient

Density = Callable[[Tensor], Tensor]
"""Log densities (…) at unconstrained z (…, dim)."""
HISTORY = 20
"""Pairs of steps and changes of slope that stand for the Hessian."""
FAR = 1e20
"""What a line search is told of a point without a density: it takes numbers only."""
BATCH = 4_000_000
"""Observations × copies of z at a time."""


class Optimum(NamedTuple):
    """The best point seen, its log density, and the gradients it took."""

    z: Tensor
    value: float
    gradients: int


def maximise(
    gradient: Gradient, start: Tensor, *, steps: int, evaluations: int, watch: Callable[[int, Tensor, float], None]
) -> Optimum:
    """L-BFGS from start (dim,) with a strong Wolfe line search; it begins no step after so many evaluations.

    `watch` sees the best point after each.
    """
    z = start.clone()
    best, value, count = start, -torch.inf, 0
    optimiser = torch.optim.LBFGS(
        [z], max_iter=steps, max_eval=evaluations, history_size=HISTORY, line_search_fn="strong_wolfe",
        tolerance_grad=torch.finfo(z.dtype).eps ** 0.5, tolerance_change=0.0,
    )  # fmt: skip

    def loss() -> float:
        nonlocal best, value, count
        here, slope = gradient(z.detach())
        count += 1
        reached = here.item()
        usable = torch.isfinite(here) & torch.isfinite(slope).all()
        z.grad = torch.where(usable, -slope, torch.zeros_like(slope))
        if usable and reached > value:
            best, value = z.detach().clone(), reached
        watch(count, best, value)
        return -reached if usable else FAR

    optimiser.step(loss)
    return Optimum(best, value, count)


def precision(density: Density, z: Tensor, rows: int) -> Tensor:
    """Minus the Hessian at z (dim,): of a batch of copies of z, the i-th gives the i-th row.

    A row costs a gradient and its gradient, about two gradients. `rows` are the observations that a density reads.
    """
    hessian = []
    for indices in torch.arange(len(z), device=z.device).split(max(1, BATCH // max(rows, 1))):
        copies = z.detach().expand(len(indices), -1).clone().requires_grad_()
        (slope,) = torch.autograd.grad(density(copies).sum(), copies, create_graph=True)
        picked = slope.gather(1, indices.unsqueeze(1)).sum()
        hessian.append(torch.autograd.grad(picked, copies, materialize_grads=True)[0])
    return -torch.cat(hessian)

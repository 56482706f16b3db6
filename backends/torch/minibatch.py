"""Mini-batch SGD through `Dataset` and `DataLoader` on the mean squared error; a step costs batch_size/N of a gradient.

Rows are fetched a batch at a time, so an epoch costs no Python work per row. Data that lie in a file are streamed: a
chunk is read at a time, within the steps, and its rows are shuffled (see `backends._shared.stream`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from typing import Literal

import torch
from torch import nn

from backends._shared import point
from backends._shared.point import draw
from backends.torch import batches, models
from bench.types import Budget, Clock, Dataset, Estimate, Place, Unsupported, option

__all__ = ["DEVICES", "FAMILIES", "KIND", "Options", "build", "draw", "fit"]

KIND = "point"
FAMILIES = ("linear",)
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Options:
    """Optimiser, step size and batches; the budget's steps are batches, not epochs."""

    optimiser: Literal["sgd", "adam"] = option("sgd", "plain steps along the gradient of a batch, or those of Adam")
    lr: float = option(0.01, "step size")
    lr_decay: float = option(1.0, "last step size, as a factor of the first; it falls in the second half of the steps")
    batch_size: int = option(128, "rows per step; the last batch of an epoch may be smaller")
    shuffle: bool = option(True, "draw a new order of the rows for every epoch")


def build(data: Dataset, budget: Budget, options: Options, place: Place) -> point.Program:
    """Nothing to compile; Unsupported for settings without a meaning."""
    if options.batch_size < 1 or not 0 < options.lr_decay <= 1:
        raise Unsupported(
            f"batch_size={options.batch_size}, lr_decay={options.lr_decay:g}: allowed are 1 or more, and above 0 to 1"
        )
    return point.build(data, budget, options, place)


def fit(program: point.Program, data: Dataset, seed: int, clock: Clock) -> point.State:
    """Step through shuffled batches from the scenario's start; Diverged when the loss leaves the finite numbers."""
    options, steps, place = program
    start = point.start(data, seed)
    with clock("transfer"):
        theta = models.to_tensors({k: v for k, v in start.items() if k != "sigma"}, place)
        arrays = {} if data.chunk_rows else models.to_tensors(data.arrays, place)
    rows, n = 0, len(data.arrays["y"])
    with clock("sample"):
        layer = models.layer(theta)
        if options.optimiser == "adam":
            optimiser: torch.optim.Optimizer = torch.optim.Adam(layer.parameters(), lr=options.lr, fused=True)
        else:
            optimiser = torch.optim.SGD(layer.parameters(), lr=options.lr)
        how = options.batch_size, options.shuffle, seed
        drawn = batches.loaded(batches.Rows(**arrays), *how) if arrays else batches.streamed(data, place, *how)
        for step, (x, y) in zip(count(1), islice(drawn, steps), strict=False):
            late = max(0.0, 2.0 * step / steps - 1.0)
            optimiser.param_groups[0]["lr"] = options.lr * options.lr_decay**late
            optimiser.zero_grad()
            (y - layer(x).squeeze(-1)).square().mean().backward()  # (b,) against (b,): never (b, b)
            optimiser.step()
            rows += len(y)
            if clock.checkpoint(step, partial(_look, data, step, layer), gradients=rows / n):
                steps = step
                break
    return point.State(_look(data, steps, layer), steps, rows / n, {"epochs": rows / n})


def _look(data: Dataset, step: int, layer: nn.Linear) -> Estimate:
    return point.look(data, step, *models.line(layer.parameters()))

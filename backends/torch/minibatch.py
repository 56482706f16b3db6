"""Mini-batch SGD through `Dataset` and `DataLoader` on the mean squared error; a step costs batch_size/N of a gradient.

Rows are fetched a batch at a time, so an epoch costs no Python work per row. Data that lie in a file are streamed: a
chunk is read at a time, within the steps, and its rows are shuffled (see `backends._shared.stream`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from backends._shared import point
from backends._shared.point import draw
from backends._shared.stream import Stream
from backends.torch import models
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


class Rows(TorchDataset[tuple[Tensor, Tensor]]):
    """Rows of x (n, J) with y (n,), fetched in batches."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        return self.x[row], self.y[row]

    def __getitems__(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        index = torch.tensor(rows, device=self.x.device)
        return self.x[index], self.y[index]


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
        layer = _layer(theta)
        if options.optimiser == "adam":
            optimiser: torch.optim.Optimizer = torch.optim.Adam(layer.parameters(), lr=options.lr, fused=True)
        else:
            optimiser = torch.optim.SGD(layer.parameters(), lr=options.lr)
        batches = _batches(Rows(**arrays), options, seed) if arrays else _streamed(data, options, seed, place)
        for step, (x, y) in zip(count(1), islice(batches, steps), strict=False):
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


def _layer(theta: dict[str, Tensor]) -> nn.Linear:
    weights, bias = theta["weights"], theta.get("bias")
    layer = nn.Linear(len(weights), 1, bias=bias is not None, dtype=weights.dtype, device=weights.device)
    with torch.no_grad():
        layer.weight.copy_(weights[None])
        if bias is not None:
            layer.bias.copy_(bias[None])
    return layer


def _batches(rows: Rows, options: Options, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of epoch after epoch, without end."""
    loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
        rows,
        batch_size=options.batch_size,
        shuffle=options.shuffle,
        generator=torch.Generator().manual_seed(seed),
        collate_fn=_as_fetched,
    )
    while True:
        yield from loader


def _streamed(data: Dataset, options: Options, seed: int, place: Place) -> Iterator[tuple[Tensor, Tensor]]:
    """The same of data that lie in a file; no batch is smaller."""
    stream = Stream(data, seed, shuffle=options.shuffle)
    while True:
        tensors = models.to_tensors(stream.take(options.batch_size), place)
        yield tensors["x"], tensors["y"]


def _as_fetched(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return batch


def _look(data: Dataset, step: int, layer: nn.Linear) -> Estimate:
    weights = layer.weight.detach().double().cpu().numpy().ravel().copy()
    bias = 0.0 if layer.bias is None else layer.bias.item()
    return point.look(data, step, weights, bias)

"""Mini-batches of rows; the gradient of a log posterior by them, and its objective of all rows, never held together."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from backends._shared.stream import Stream
from backends.torch import models
from bench.data import family
from bench.types import Dataset, Place

Evaluation = Callable[[Tensor], tuple[Tensor, Tensor]]
Make = Callable[[models.Tensors], Evaluation]
"""The objective, prior and all, with its gradient, as it is of these rows alone."""


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


def loaded(rows: Rows, size: int, shuffle: bool, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of epoch after epoch, without end."""
    loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
        rows,
        batch_size=size,
        shuffle=shuffle,
        generator=torch.Generator().manual_seed(seed),
        collate_fn=_as_fetched,
    )
    while True:
        yield from loader


def _as_fetched(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return batch


def streamed(data: Dataset, place: Place, size: int, shuffle: bool, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The same of data that lie in a file; no batch is smaller."""
    stream = Stream(data, seed, shuffle=shuffle)
    while True:
        tensors = models.to_tensors(stream.take(size), place)
        yield tensors["x"], tensors["y"]


def gradients(make: Make, data: Dataset, place: Place, rows: int, seed: int) -> Iterator[Callable[[Tensor], Tensor]]:
    """For each step the gradient of a batch of so many rows, pass after pass over the rows in random order.

    N/rows of the batch's log likelihood stands for that of all N, and the prior counts once: of a batch with its prior
    that is N/rows of it less (N/rows − 1) of what no row at all gives. Its mean over the batches of a pass is the
    gradient of all rows, if they are of one size.
    """
    stream, share = Stream(data, seed), len(data.arrays["y"]) / rows
    nothing = {name: array[:0] for name, array in data.arrays.items()}
    prior = make(models.to_tensors(nothing, place))
    while True:
        yield of_batch(make(models.to_tensors(stream.take(rows), place)), prior, share)


def of_batch(batch: Evaluation, prior: Evaluation, share: float) -> Callable[[Tensor], Tensor]:
    """The gradient of `share` times the likelihood of a batch, and of the prior."""

    def gradient(theta: Tensor) -> Tensor:
        return share * batch(theta)[1] - (share - 1.0) * prior(theta)[1]

    return gradient


def of_all(data: Dataset, objective: str) -> Evaluation:
    """The objective in nats of all rows, which are read a chunk at a time where they lie in a file; no gradient."""
    fam = family(data.family)

    def value(theta: Tensor) -> tuple[Tensor, Tensor]:
        sites = models.constrain(data, theta)[0] if objective == "map_unconstrained" else models.split(data, theta)
        values = {name: x.double().cpu().numpy() for name, x in sites.items()}
        inside = all(((values[p.name] > p.lower) & (values[p.name] < p.upper)).all() for p in data.sites)
        found = fam.objective(data, objective, fam.from_sites(data, values)) if inside else torch.inf
        return torch.tensor(found, dtype=torch.float64), theta

    return value

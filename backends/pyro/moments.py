"""Moments of a q that is one of torch's distributions, by random numbers apart from the fit's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from backends._shared import moments
from backends._shared.moments import Moments
from bench.data import family
from bench.types import Array, Dataset


def of(q: Any, data: Dataset, draws: int) -> Moments:
    """Mean and sd of every parameter under a Gaussian q(z), see `backends._shared.moments.of`."""
    loc, scale = (x.detach().double().cpu().numpy() for x in (q.mean, q.stddev))
    with _apart(q):
        return moments.of(loc, scale, _sampler(q), data, draws)


def by_draws(q: Any, data: Dataset, draws: int) -> Moments:
    """Mean and sd of that many independent draws of a fixed seed."""
    with _apart(q):
        return moments.by_draws(_sampler(q), data, draws)


def draws(q: Any, data: Dataset, count: int) -> dict[str, Array]:
    """That many independent draws of a fixed seed, {parameter: (draw, *shape)}."""
    with _apart(q):
        return dict(family(data.family).constrain(data, _sampler(q)(count)))


@contextmanager
def _apart(q: Any) -> Iterator[None]:
    device = q.mean.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        yield


def _sampler(q: Any) -> Callable[[int], Array]:
    return lambda size: q.sample((size,)).double().cpu().numpy()

"""Moments of a q that is one of torch's distributions, by random numbers apart from the fit's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from backends._shared import moments
from backends._shared.moments import Moments
from backends._shared.vi import DRAWS
from bench.data import family
from bench.types import Array, Dataset, Diverged, Estimate


def estimate(q: Any, data: Dataset, step: int, loss: float, size: int) -> Estimate:
    """Moments of q, by so many draws where they need any, and −ELBO at this step; Diverged if they are not finite."""
    loc, scale = _gaussian(q)
    if not (np.isfinite(loc).all() and np.isfinite(scale).all()):
        raise Diverged(f"−ELBO is {loss:g} at step {step}, and q has {np.sum(~np.isfinite(loc))} lost means")
    mean, sd = of(q, data, size)
    return Estimate(mean, sd if scale.any() else None, loss, lambda: draws(q, data, DRAWS))


def of(q: Any, data: Dataset, draws: int) -> Moments:
    """Mean and sd of every parameter under a Gaussian q(z), see `backends._shared.moments.of`."""
    with _apart(q):
        return moments.of(*_gaussian(q), _sampler(q), data, draws)


def draws(q: Any, data: Dataset, count: int) -> dict[str, Array]:
    """That many independent draws of a fixed seed, {parameter: (draw, *shape)}."""
    with _apart(q):
        return dict(family(data.family).constrain(data, _sampler(q)(count)))


@contextmanager
def _apart(q: Any) -> Iterator[None]:
    device = q.mean.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(0)  # torch.manual_seed takes a millisecond, at each checkpoint
        if device.type == "cuda":
            torch.cuda.manual_seed_all(0)
        yield


def _gaussian(q: Any) -> tuple[Array, Array]:
    loc, scale = (x.detach().double().cpu().numpy() for x in (q.mean, q.stddev))
    return loc, scale


def _sampler(q: Any) -> Callable[[int], Array]:
    return lambda size: q.sample((size,)).double().cpu().numpy()

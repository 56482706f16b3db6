"""Faults of draws: what a sampler must not get away with, as functions of draws that have none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from bench.types import Array


class Fault(NamedTuple):
    """What is wrong: (draws (chain, draw, scalar), reference means, sds, generator) → draws; `must` be found.

    Where scalars are nearly independent, and the mirrored one symmetric, `corr` and `signflip` are no faults.
    """

    make: Callable[[Array, Array, Array, np.random.Generator], Array]
    must: bool = False


def _bias(size: float) -> Fault:
    return Fault(lambda x, m, s, rng: x + np.eye(x.shape[-1])[0] * size * s)


def _narrow(size: float) -> Fault:
    return Fault(lambda x, m, s, rng: m + (1.0 - size) * (x - m))


def _narrow_one(x: Array, m: Array, s: Array, rng: np.random.Generator) -> Array:
    return np.concatenate([m[:1] + 0.9 * (x[..., :1] - m[:1]), x[..., 1:]], axis=-1)


def _permuted(x: Array, m: Array, s: Array, rng: np.random.Generator) -> Array:
    flat = x.reshape(-1, x.shape[-1])
    return np.stack([rng.permutation(column) for column in flat.T], axis=1).reshape(x.shape)


def _mirrored(x: Array, m: Array, s: Array, rng: np.random.Generator) -> Array:
    flat = x.reshape(-1, x.shape[-1]).copy()
    ranks = np.argsort(np.argsort(flat[:, 0]))
    flat[:, 0] = np.sort(flat[:, 0])[::-1][ranks]
    return flat.reshape(x.shape)


def _skewed(x: Array, m: Array, s: Array, rng: np.random.Generator) -> Array:
    return m + s * (rng.exponential(size=x.shape) - 1.0)


def _twice(x: Array, m: Array, s: Array, rng: np.random.Generator) -> Array:
    return np.repeat(x[:, : (x.shape[1] + 1) // 2], 2, axis=1)[:, : x.shape[1]]


def _antithetic(x: Array, m: Array, s: Array, rng: np.random.Generator) -> Array:
    y = x.copy()
    y[:, 1::2] = 2.0 * m - x[:, 0 : 2 * (x.shape[1] // 2) : 2]
    return y


def _stuck(x: Array, m: Array, s: Array, rng: np.random.Generator) -> Array:
    y = x.copy()
    y[0] = x[0, 0]
    return y


def _contaminated(x: Array, m: Array, s: Array, rng: np.random.Generator) -> Array:
    return x + 5.0 * s * (rng.random((*x.shape[:2], 1)) < 0.01)


FAULTS: Mapping[str, Fault] = {
    "honest": Fault(lambda x, m, s, rng: x),
    **{f"bias {size}": _bias(size) for size in (0.03, 0.06, 0.12)},
    **{f"narrow {100 * size:.0f} %": _narrow(size) for size in (0.03, 0.05, 0.07, 0.10)},
    "one scalar narrow 10 %": Fault(_narrow_one),
    "corr": Fault(_permuted, must=True),
    "signflip": Fault(_mirrored, must=True),
    "skew": Fault(_skewed, must=True),
    "each draw twice": Fault(_twice),
    "antithetic pairs": Fault(_antithetic),
    "one stuck chain": Fault(_stuck),
    "1 % at 5 sd": Fault(_contaminated),
}

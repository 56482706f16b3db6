"""The joint log likelihood of draws, in pieces that fit into memory. Imports NumPy only: children use it too."""

from __future__ import annotations

import numpy as np

from bench.protocols import Family
from bench.types import Array, Arrays, Dataset

CHUNK = 5_000_000
"""Pointwise log likelihoods held at once: 40 MB of float64."""


def joint_log_likelihood(draws: Arrays, data: Dataset, family: Family) -> Array:
    """Σ_i log p(y_i | draw) of every draw {name: (…, *shape)}: (…)."""
    shapes = {p.name: p.shape for p in data.parameters}
    arrays = {name: np.asarray(draws[name], dtype=float) for name in shapes}
    leading = {a.shape[: a.ndim - len(shapes[name])] for name, a in arrays.items()}
    (shape,) = leading
    flat = {name: a.reshape(-1, *shapes[name]) for name, a in arrays.items()}
    count, step = int(np.prod(shape)), max(1, CHUNK // data.rows)
    parts = [
        family.log_likelihood(data, {k: v[i : i + step] for k, v in flat.items()}, data.arrays).sum(axis=-1)
        for i in range(0, count, step)
    ]
    return np.concatenate(parts).reshape(shape)

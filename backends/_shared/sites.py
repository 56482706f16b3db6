"""Vectors of all unconstrained or natural scalars, taken apart into the sites of a model."""

from __future__ import annotations

import numpy as np

from bench.types import Array, Dataset


def split(data: Dataset, z: Array) -> dict[str, Array]:
    """{site: (…, *shape)} of vectors (…, dim), which hold the sites in order, each in C order."""
    pieces = np.split(z, np.cumsum([p.size for p in data.sites])[:-1], axis=-1)
    return {
        p.name: np.asarray(piece.reshape(z.shape[:-1] + p.shape), order="C")
        for p, piece in zip(data.sites, pieces, strict=True)
    }

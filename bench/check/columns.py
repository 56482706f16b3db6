"""What of the columns of a design leaves coefficients to their priors, or makes a posterior long and thin."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.check.findings import Finding, note
from bench.types import Array, Dataset, Design

NEAR = 0.99
"""Correlation of two columns from which a reader is told."""
FAR = 3.0
"""Sds between 0 and the mean of a column, beside an intercept: their correlation in the posterior is 0.95 then."""
UNLIKE = 1000.0
"""Ratio of the largest and the smallest sd of columns."""
STANDARDISE = "[data] standardise = true"


def far(design: Design) -> list[str]:
    """Columns that make samplers slow for no reason of the model's: far from 0, or of unlike scales."""
    if not {"bias", "mu"} & set(design.labels):
        return []  # where there is no intercept, moving a column is another model
    x, names = design.arrays["x"], design.labels["weights"]
    found = [names[j] for j in _far(x)]
    if not found and _unlike(x):
        found = [names[int(x.std(axis=0).argmax())]]
    return found


def findings(where: str, data: Dataset) -> Iterator[Finding]:
    """Notes on the columns of a regression's features."""
    x = data.arrays.get("x")
    if x is None or x.ndim != 2 or not x.shape[1]:
        return
    names = data.parameter("weights").parts()
    intercept = "bias" in data.names or "mu" in data.names
    design = np.column_stack([x, np.ones(len(x))]) if intercept else x
    scaled = design / np.maximum(np.linalg.norm(design, axis=0), 1e-300)
    rank = int(np.linalg.matrix_rank(scaled))
    if rank < design.shape[1]:
        yield note(
            where, f"the {design.shape[1]} columns have rank {rank}: what they share is told apart by the priors alone"
        )
    if x.shape[1] > 1 and len(x) > 2:
        with np.errstate(all="ignore"):
            correlation: Array = np.nan_to_num(np.atleast_2d(np.corrcoef(x.T)))
        near = np.argwhere(np.triu(np.abs(correlation), 1) > NEAR)[:3]
        for i, j in near:
            yield note(where, f"{names[i]} and {names[j]} have correlation {correlation[i, j]:.4f}")
    if intercept and (off := _far(x)):
        sds = ", ".join(f"{names[j]} {abs(x[:, j].mean()) / x[:, j].std():.1f}" for j in off[:3])
        words = f"far from 0, in sds: {sds}. Such a coefficient and the intercept are strongly correlated"
        yield note(where, f"{words}: samplers are slow, approximations off", STANDARDISE)
    if _unlike(x):
        sds = x.std(axis=0)
        words = f"{names[int(sds.argmax())]} varies {sds.max() / sds.min():.0f} times as much as"
        words += f" {names[int(sds.argmin())]}: samplers with one step size for all have it hard"
        yield note(where, words, STANDARDISE)


def _far(x: Array) -> list[int]:
    """Columns, not of 0 and 1 alone, whose mean is more than FAR sds from 0."""
    dummy = ((x == 0.0) | (x == 1.0)).all(axis=0)
    return [int(j) for j in np.flatnonzero(~dummy & (np.abs(x.mean(axis=0)) > FAR * x.std(axis=0)))]


def _unlike(x: Array) -> bool:
    sds = x.std(axis=0)
    return bool(sds.min() > 0.0 and sds.max() / sds.min() > UNLIKE)

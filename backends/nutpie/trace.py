"""What nutpie hands over, tables of Arrow, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow

from backends._shared import trajectories
from bench.types import Array, Parameter

COLUMNS = {
    **{"diverging": "diverging", "energy": "energy", "log_density": "logp"},
    **{"accept_prob": "mean_tree_accept", "treedepth_hits": "maxdepth_reached"},
}
"""nutpie's names of what each tree says of itself."""


def draws(tables: Any, parameters: tuple[Parameter, ...], warmup: int) -> dict[str, Array]:
    """Draws (chain, draw, *shape) after the warmup."""
    return {p.name: np.stack([_column(chain, p.name, p.shape) for chain in tables])[:, warmup:] for p in parameters}


def statistics(tables: Any, warmup: int) -> dict[str, Any]:
    """What each tree says of itself, with its gradients.

    Not among these are the 10 to 20 by which a chain finds its first step size, which nutpie does not count.
    """
    columns = {ours: np.stack([_column(chain, theirs) for chain in tables]) for ours, theirs in COLUMNS.items()}
    return trajectories.statistics(np.stack([_column(chain, "n_steps") for chain in tables]), warmup, **columns)


def _column(chain: Any, name: str, shape: tuple[int, ...] = ()) -> Array:
    """A column of a table in memory, (draw, *shape)."""
    values = pyarrow.array(chain.column(name))
    if shape:
        values = values.flatten()
    return np.asarray(values.to_numpy(zero_copy_only=False).reshape(-1, *shape))

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


def length(chain: Any) -> int:
    """Transitions of a chain, of its statistics."""
    return len(chain.column("n_steps"))


def draws(tables: Any, parameters: tuple[Parameter, ...], rows: slice) -> dict[str, Array]:
    """Draws (chain, draw, *shape), those of the transitions `rows`."""
    return {p.name: np.stack([_column(chain, p.name, p.shape)[rows] for chain in tables]) for p in parameters}


def statistics(tables: Any, warmup: int, rows: slice) -> dict[str, Any]:
    """What each tree of the transitions `rows` says of itself, with its gradients; the first `warmup` are no draws.

    Not among these are the 10 to 20 by which a chain finds its first step size, which nutpie does not count.
    """

    def column(name: str) -> Array:
        return np.stack([_column(chain, name)[rows] for chain in tables])

    columns = {ours: column(theirs) for ours, theirs in COLUMNS.items()}
    return trajectories.statistics(column("n_steps"), warmup, **columns)


def _column(chain: Any, name: str, shape: tuple[int, ...] = ()) -> Array:
    """A column of a table in memory, (draw, *shape)."""
    values = pyarrow.array(chain.column(name))
    if shape:
        values = values.flatten()
    return np.asarray(values.to_numpy(zero_copy_only=False).reshape(-1, *shape))

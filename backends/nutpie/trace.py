"""What nutpie hands over, tables of Arrow, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow

from bench.types import Array, Parameter

STATS = ("n_steps", "diverging", "energy", "logp", "mean_tree_accept", "maxdepth_reached")


def draws(tables: Any, parameters: tuple[Parameter, ...], warmup: int) -> dict[str, Array]:
    """Draws (chain, draw, *shape) after the warmup."""
    return {p.name: np.stack([_column(chain, p.name, p.shape) for chain in tables])[:, warmup:] for p in parameters}


def statistics(tables: Any, warmup: int) -> dict[str, Any]:
    """What each tree says of itself, with its gradients.

    Not among these are the 10 to 20 by which a chain finds its first step size, which nutpie does not count.
    """
    found = {name: np.stack([_column(chain, name) for chain in tables]) for name in STATS}
    steps, kept = found["n_steps"].astype(np.int64), {name: values[:, warmup:] for name, values in found.items()}
    return {
        "gradients": int(steps.sum()),
        "gradients_executed": int(steps.sum()),
        "gradients_warmup": int(steps[:, :warmup].sum()),
        "treedepth_hits": int(kept["maxdepth_reached"].sum()),
        "num_steps": steps[:, warmup:],
        "diverging": kept["diverging"],
        "energy": kept["energy"],
        "accept_prob": kept["mean_tree_accept"],
        "log_density": kept["logp"],
    }


def _column(chain: Any, name: str, shape: tuple[int, ...] = ()) -> Array:
    """A column of a table in memory, (draw, *shape)."""
    values = pyarrow.array(chain.column(name))
    if shape:
        values = values.flatten()
    return np.asarray(values.to_numpy(zero_copy_only=False).reshape(-1, *shape))

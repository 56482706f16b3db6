"""Statistics of chains that moved by trajectories, from what is known of each transition, warmup first."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bench.types import Array, Budget, Unsupported

UNLEARNED_STEPS = 10
"""Steps at most while the metric is unknown, when a length in posterior sds means nothing yet."""


def statistics(
    gradients: npt.ArrayLike, warmup: int, *, beside: int = 0, lockstep: bool = False, **columns: npt.ArrayLike
) -> dict[str, Any]:
    """Those of `Fit.stats` (see `bench.protocols.Backend`) of `gradients` and `columns`, each (chain, transition).

    `beside` are gradients of the warmup that belong to no transition, as those of starts. Of chains in `lockstep` each
    executes as many as the longest of them. A column `treedepth_hits` is summed over the draws.
    """
    steps = np.asarray(gradients, np.int64)
    executed = np.repeat(steps.max(0, keepdims=True), len(steps), axis=0) if lockstep else steps
    kept = {name: plain(values)[:, warmup:] for name, values in columns.items()}
    if lockstep:
        kept["num_steps_executed"] = executed[:, warmup:]
    if "treedepth_hits" in kept:
        kept["treedepth_hits"] = int(kept["treedepth_hits"].sum())
    return {
        "gradients": int(steps.sum()) + beside,
        "gradients_warmup": int(steps[:, :warmup].sum()) + beside,
        "gradients_executed": int(executed.sum()) + beside,
        "gradients_executed_warmup": int(executed[:, :warmup].sum()) + beside,
        "num_steps": steps[:, warmup:],
        **kept,
    }


def check(options: Any) -> None:
    """Unsupported for trajectories without length."""
    if options.trajectory <= 0.0 or not 0.0 <= options.jitter < 1.0 or options.max_steps < 0:
        raise Unsupported(
            f"trajectory={options.trajectory:g}, jitter={options.jitter:g}, max_steps={options.max_steps}: "
            "allowed are more than 0, 0 to less than 1, and 0 or more"
        )


def ensemble(options: Any, budget: Budget) -> int:
    """How many chains warm up together; Unsupported for one alone, and for starts that are fewer than none."""
    chains: int = max(options.ensemble, budget.chains)
    if chains < 2:
        raise Unsupported("the ensemble has one chain; ChEES compares chains: ensemble must be 2 or more")
    if options.superchains < 0:
        raise Unsupported(f"superchains={options.superchains}: it must be 0 or more")
    return chains


def plain(values: npt.ArrayLike) -> Array:
    """An array of the host, its numbers in float64 where they are no integers or flags."""
    array = np.asarray(values)
    return array.astype(np.float64) if array.dtype.kind == "f" else array

"""What chains write, lines of JSON, as arrays."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np

from backends._shared import trajectories
from backends.stan.adaptation import search_gradients
from bench.types import Array, Diverged, Parameter


def complain(written: list[tuple[int, bytes, bytes]]) -> None:
    """Diverged with Stan's own words where a chain found no start or ended early; RuntimeError where it has none.

    Rejected proposals are errors in its log, too, of chains that go on.
    """
    if all(code == 0 and draws for code, _, draws in written):
        return
    errors = [json.loads(line)["values"][0] for _, log, _ in written for line in log.splitlines() if b'"error:' in line]
    if errors:
        raise Diverged("; ".join(dict.fromkeys(error.removeprefix("error:").strip() for error in errors[-4:])))
    raise RuntimeError(f"chains ended with status {', '.join(str(code) for code, _, _ in written)}")


def table(draws: bytes) -> dict[str, Array]:
    """Columns of what a chain wrote; between its draws are words on step size and metric."""
    rows, names = [], ()
    for line in draws.splitlines():
        if isinstance(row := json.loads(line)["values"], dict):
            rows.append(np.fromiter(row.values(), np.float64, len(row)))
            names = names or tuple(row)
    return dict(zip(names, np.stack(rows, axis=1), strict=True))


def values(columns: dict[str, Array], p: Parameter) -> Array:
    """A parameter's draws (chain, draw, *shape), of columns `name.1.2`."""
    names = [".".join((p.name, *map(str, at))) for at in itertools.product(*(range(1, n + 1) for n in p.shape))]
    return np.stack([columns[name] for name in names], axis=-1).reshape(*columns["lp__"].shape, *p.shape)


def statistics(every: dict[str, Array], warmup: int, delta: float, max_depth: int) -> dict[str, Any]:
    """What each transition says of itself, columns (chain, transition) of warmup and draws, with its gradients."""
    return trajectories.statistics(
        every["n_leapfrog__"] + 1,
        warmup,
        beside=search_gradients(every["stepsize__"], every["accept_stat__"], warmup, delta),
        treedepth_hits=every["treedepth__"] >= max_depth,
        diverging=every["divergent__"] > 0,
        energy=every["energy__"],
        accept_prob=every["accept_stat__"],
        log_density=every["lp__"],
    )

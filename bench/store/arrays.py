"""A fit's arrays as one .npz, written by the worker and read by the scorer. Imports numpy only."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.disk import npz
from bench.store.files import opened
from bench.types import Checkpoint, Estimate, Fit, Kind


def save(path: Path, fit: Fit, checkpoints: Sequence[Checkpoint]) -> None:
    """Write draws, per-draw statistics, moments and checkpoints; scalars of `stats` belong to the record."""
    arrays: dict[str, Any] = {f"draw/{name}": array for name, array in fit.draws.items()}
    arrays |= {f"stat/{name}": v for name, v in fit.stats.items() if isinstance(v, np.ndarray)}
    for name, (mean, sd) in fit.moments.items():
        arrays |= {f"moment/{name}/mean": mean, f"moment/{name}/sd": sd}
    if checkpoints:
        arrays |= {f"checkpoint/{k}": [getattr(c, k) for c in checkpoints] for k in ("step", "seconds", "gradients")}
        for name in checkpoints[0].estimate.mean:
            arrays[f"checkpoint/mean/{name}"] = [c.estimate.mean[name] for c in checkpoints]
            if checkpoints[0].estimate.sd is not None:
                arrays[f"checkpoint/sd/{name}"] = [(c.estimate.sd or {})[name] for c in checkpoints]
        if checkpoints[0].estimate.objective is not None:
            arrays["checkpoint/objective"] = [c.estimate.objective for c in checkpoints]
    with path.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
        stream.flush()
        os.fsync(stream.fileno())


def read(path: Path) -> dict[str, Any]:
    """The arrays of a .npz by their keys, none but numbers; OSError or ValueError as `npz.read` and `opened`."""
    with opened(path) as stream:
        return npz.read(stream)


def unpack(
    arrays: Mapping[str, Any], kind: Kind, stats: Mapping[str, Any], notes: Sequence[str]
) -> tuple[Fit, list[Checkpoint]]:
    """The inverse of `save`, of arrays keyed as in its file; `stats` are the scalars of the record.

    ValueError or KeyError where they are not those of a fit.
    """
    part = {
        group: {k.removeprefix(group): v for k, v in arrays.items() if k.startswith(group)}
        for group in ("draw/", "stat/", "moment/", "checkpoint/")
    }
    if not part["draw/"]:
        raise ValueError("it holds no draws")
    moments = part["moment/"]
    fit = Fit(
        kind=kind,
        draws=part["draw/"],
        stats={**stats, **part["stat/"]},
        moments={k[:-5]: (v, moments[f"{k[:-5]}/sd"]) for k, v in moments.items() if k.endswith("/mean")},
        notes=tuple(notes),
    )
    return fit, _checkpoints(part["checkpoint/"])


def _checkpoints(arrays: Mapping[str, Any]) -> list[Checkpoint]:
    if not arrays:
        return []
    means = {k.removeprefix("mean/"): v for k, v in arrays.items() if k.startswith("mean/")}
    sds = {k.removeprefix("sd/"): v for k, v in arrays.items() if k.startswith("sd/")}
    objective = arrays.get("objective")
    return [
        Checkpoint(
            int(step),
            float(arrays["seconds"][i]),
            float(arrays["gradients"][i]),
            Estimate(
                {k: v[i] for k, v in means.items()},
                {k: v[i] for k, v in sds.items()} if sds else None,
                None if objective is None else float(objective[i]),
            ),
        )
        for i, step in enumerate(arrays["step"])
    ]

"""A fit's arrays as one .npz, written by the worker and read by the scorer. Imports numpy only."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

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
    """The arrays of a .npz by their keys; whatever is wrong with it is an exception before much memory is taken.

    As the file may be anybody's: numbers only, stored without compression, and no more of them than it has bytes.
    """
    with opened(path) as stream, zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise ValueError("its arrays claim more bytes than it has")
        return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Any:
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{member.filename[:80]} is compressed, as no run writes it")
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, by_column, dtype = header(stream)
        numeric(member.filename, dtype)
        size = math.prod(shape) * dtype.itemsize
        if not 0 <= size <= member.file_size:
            raise ValueError(f"{member.filename[:80]} claims shape {shape}, but has {member.file_size} bytes")
        flat = np.frombuffer(stream.read(size), dtype).copy()
    return flat.reshape(shape, order="F" if by_column else "C")


def numeric(name: str, dtype: np.dtype[Any]) -> None:
    """ValueError unless these are real numbers or flags."""
    if dtype.kind not in "biuf":
        raise ValueError(f"{name[:80]} holds {str(dtype)[:80]}, not real numbers")


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

"""draws.npz ↔ draws.nc: InferenceData groups `posterior` and `sample_stats`, beside them moments and checkpoints."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from bench.store.arrays import unpack
from bench.store.durable import write_bytes
from bench.types import Checkpoint, Fit, Kind

GROUPS = {"posterior": "draw/", "sample_stats": "stat/", "moments": "moment/", "checkpoints": "checkpoint/"}
LEADING = {
    "posterior": ("chain", "draw"),
    "sample_stats": ("chain", "draw"),
    "moments": (),
    "checkpoints": ("checkpoint",),
}


def convert(npz: Path, nc: Path, attributes: Mapping[str, Any]) -> None:
    """Write `nc` whole from `npz`, then remove `npz`."""
    with np.load(npz, allow_pickle=False) as stored:
        arrays = {key: stored[key] for key in stored.files}
    tree = xr.DataTree.from_dict({f"/{group}": _dataset(arrays, group) for group in GROUPS if _has(arrays, group)})
    tree["posterior"].attrs = dict(attributes)
    made = io.BytesIO()  # HDF5 does not survive a disk that fills while it writes
    tree.to_netcdf(made, engine="h5netcdf")
    write_bytes(nc, made.getvalue())
    npz.unlink()


def load(nc: Path, kind: Kind, stats: dict[str, Any], notes: Sequence[str]) -> tuple[Fit, list[Checkpoint]]:
    """The fit and checkpoints of a draws.nc; `stats` are the scalars of the record."""
    # h5py rather than xarray: a scorer reads hundreds of small files, and needs the arrays only
    with h5py.File(nc, "r") as file:
        arrays = {
            prefix + str(name).replace(".", "/"): variable[()]
            for group, prefix in GROUPS.items()
            if group in file
            for name, variable in file[group].items()
            if not variable.is_scale
        }
    return unpack(arrays, kind, stats, notes)


def _has(arrays: Mapping[str, Any], group: str) -> bool:
    return any(key.startswith(GROUPS[group]) for key in arrays)


def _dataset(arrays: Mapping[str, Any], group: str) -> xr.Dataset:
    """One group; a variable's event dimensions are named after it, and `/` in a name becomes `.`."""
    prefix, leading = GROUPS[group], LEADING[group]
    variables = {}
    for key, array in arrays.items():
        if key.startswith(prefix):
            name = key.removeprefix(prefix).replace("/", ".")
            event = tuple(f"{name}_dim_{i}" for i in range(np.ndim(array) - len(leading)))
            variables[name] = (leading + event, array)
    sizes = {d: variables[next(iter(variables))][1].shape[i] for i, d in enumerate(leading)} if variables else {}
    coords = {d: np.arange(n) for d, n in sizes.items()}
    return xr.Dataset(variables, coords=coords)

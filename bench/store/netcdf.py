"""draws.npz ↔ draws.nc: InferenceData groups `posterior` and `sample_stats`, beside them moments and checkpoints."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

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
    made = io.BytesIO()  # HDF5 does not survive a disk that fills while it writes
    with h5py.File(made, "w", track_order=True) as file:
        for name in GROUPS:
            if _has(arrays, name):
                _write(file.create_group(name, track_order=True), arrays, name)
        file["posterior"].attrs.update(attributes)
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


def _write(group: h5py.Group, arrays: Mapping[str, Any], name: str) -> None:
    """One group; a variable's event dimensions are named after it, and `/` in a name becomes `.`.

    With h5py rather than xarray, which takes 60 ms for a file: netCDF-4 is HDF5 whose dimensions are shared scales.
    """
    prefix, leading = GROUPS[name], LEADING[name]
    scales: dict[str, h5py.Dataset] = {}
    for key, array in arrays.items():
        if not key.startswith(prefix):
            continue
        variable = key.removeprefix(prefix).replace("/", ".")
        event = (f"{variable}_dim_{i}" for i in range(np.ndim(array) - len(leading)))
        dimensions = (*leading, *event)
        for dimension, size in zip(dimensions, array.shape, strict=True):
            if dimension not in scales:
                scales[dimension] = _scale(group, dimension, size, counted=dimension in leading)
        flags = array.dtype == bool
        made = group.create_dataset(variable, data=array.astype(np.int8) if flags else array)
        if flags:
            made.attrs["dtype"] = "bool"  # how xarray marks what netCDF has no type for
        for axis, dimension in enumerate(dimensions):
            made.dims[axis].attach_scale(scales[dimension])


def _scale(group: h5py.Group, name: str, size: int, *, counted: bool) -> h5py.Dataset:
    """A dimension, with its indices as coordinates where it is `counted`."""
    made = group.create_dataset(name, data=np.arange(size) if counted else np.zeros(size, np.float32))
    # the name by which netCDF-4 tells a dimension without coordinates
    made.make_scale(name if counted else f"This is a netCDF dimension but not a netCDF variable.{size:10d}")
    return made

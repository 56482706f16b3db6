"""draws.npz ↔ draws.nc: InferenceData groups `posterior` and `sample_stats`, beside them moments and checkpoints."""

from __future__ import annotations

import contextlib
import io
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np

from bench.disk.durable import write_bytes
from bench.disk.npz import numeric
from bench.store.arrays import read
from bench.store.files import MOST, plain
from bench.types import Array

GROUPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "posterior": ("draw/", ("chain", "draw")),
    "sample_stats": ("stat/", ("chain", "draw")),
    "moments": ("moment/", ()),
    "checkpoints": ("checkpoint/", ("checkpoint",)),
}
"""{group: (what keys of its arrays begin with in the .npz, their leading dimensions)}."""


INFLATED = 50
"""Bytes of arrays for each byte of a file at most: others may have compressed it since."""


def convert(
    npz: Path,
    nc: Path,
    attributes: Mapping[str, Any],
    labels: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Write `nc` whole from `npz`, then remove `npz`; `labels` {parameter: names of its elements} are coordinates."""
    arrays = read(npz)
    content = io.BytesIO()  # HDF5 does not survive a disk that fills while it writes
    # the format of HDF5 1.10, whose headers have checksums: of an older one's damage, reading may end the process
    with h5py.File(content, "w", libver="v110", track_order=True) as file:
        for name, (prefix, leading) in GROUPS.items():
            variables = {k.removeprefix(prefix).replace("/", "."): v for k, v in arrays.items() if k.startswith(prefix)}
            if variables:
                _write(file.create_group(name, track_order=True), variables, leading, labels)
        file["posterior"].attrs.update(attributes)
    write_bytes(nc, content.getvalue())
    npz.unlink()


def load(nc: Path) -> dict[str, Any]:
    """The arrays of a draws.nc, keyed as in the .npz; whatever is wrong with it is an exception, as `arrays.read`."""
    # by h5py's lower half, which takes half the time of its own upper one: a run has thousands of small files
    # in the way of all other readers: HDF5 refuses a file that this process, as by ArviZ, has open in another way
    with contextlib.closing(h5py.h5f.open(os.fsencode(plain(nc)), h5py.h5f.ACC_RDONLY)) as file:
        variables = [
            variable
            for group in _inside(file)
            if group in GROUPS
            for variable in _variables(h5py.h5g.open(file, group.encode()), GROUPS[group][0])
        ]
        size = sum(math.prod(shape) * dtype.itemsize for _, shape, dtype, _ in variables)
        if size > min(INFLATED * nc.stat().st_size, MOST[".nc"]):
            raise ValueError("its arrays claim more bytes than it can hold")
        return {key: _values(variable, np.empty(shape, dtype)) for key, shape, dtype, variable in variables}


def _variables(group: Any, prefix: str) -> Iterator[tuple[str, tuple[int, ...], np.dtype[Any], Any]]:
    """Key, shape, type and variable of all in a group that are no coordinates; ValueError for what are no numbers."""
    for name in _inside(group):
        variable = h5py.h5d.open(group, name.encode())
        if h5py.h5ds.is_scale(variable):
            continue
        key = prefix + name.replace(".", "/")
        dtype = variable.dtype  # made anew each time
        numeric(key, dtype)
        kept = variable.get_create_plist()
        if kept.get_external_count() or kept.get_layout() == h5py.h5d.VIRTUAL:
            raise ValueError(f"{key[:80]} is kept in another file")
        yield key, variable.shape, dtype, variable


def _inside(group: Any) -> Iterator[str]:
    """The names in a group; ValueError where one refers to another file."""
    for name in group:
        if group.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            raise ValueError("it refers to other files")
        yield name.decode()


def _values(variable: Any, values: Array) -> Array:
    variable.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return values


def _write(
    group: h5py.Group, variables: Mapping[str, Any], leading: tuple[str, ...], labels: Mapping[str, Sequence[str]]
) -> None:
    """One group; a variable's event dimensions are named after it.

    With h5py rather than xarray, which takes 60 ms for a file: netCDF-4 is HDF5 whose dimensions are shared scales.
    """
    scales: dict[str, h5py.Dataset] = {}
    for name, array in variables.items():
        event = (f"{name}_dim_{i}" for i in range(np.ndim(array) - len(leading)))
        dimensions = (*leading, *event)
        for dimension, size in zip(dimensions, array.shape, strict=True):
            if dimension not in scales:
                own = labels.get(name, ()) if dimension == f"{name}_dim_0" else ()
                named = list(own) if len(own) == size else np.arange(size) if dimension in leading else None
                scales[dimension] = _scale(group, dimension, size, named)
        flags = array.dtype == bool
        variable = group.create_dataset(name, data=array.astype(np.int8) if flags else array)
        if flags:
            variable.attrs["dtype"] = "bool"  # how xarray marks what netCDF has no type for
        for axis, dimension in enumerate(dimensions):
            variable.dims[axis].attach_scale(scales[dimension])


def _scale(group: h5py.Group, name: str, size: int, values: Any) -> h5py.Dataset:
    """A dimension, with these coordinates unless they are None."""
    text = h5py.string_dtype() if isinstance(values, list) else None
    scale = group.create_dataset(name, data=np.zeros(size, np.float32) if values is None else values, dtype=text)
    # the name by which netCDF-4 tells a dimension without coordinates
    scale.make_scale(f"This is a netCDF dimension but not a netCDF variable.{size:10d}" if values is None else name)
    return scale

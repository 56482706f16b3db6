"""Arrays as one .npz, stored without compression, and read although the file may be anybody's."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from bench.disk.durable import write_whole


def write(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write the file whole; OSError."""

    def fill(temporary: Path) -> None:
        with temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)

    write_whole(path, fill)


def read(stream: BinaryIO, *, texts: bool = False) -> dict[str, Any]:
    """The arrays by their keys: of numbers and flags, with `texts` also of texts.

    OSError, or ValueError with a sentence, before much memory is taken: what is compressed is refused, and so are
    arrays that claim more bytes than the file has.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > os.fstat(stream.fileno()).st_size:
                raise ValueError("its arrays claim more bytes than it has")
            return {member.filename.removesuffix(".npy"): _array(archive, member, texts) for member in members}
    except (OSError, ValueError):
        raise
    except Exception as error:  # noqa: BLE001 -- whatever a reader makes of what is no such file
        raise ValueError(" ".join(str(error).split())[:200] or type(error).__name__) from None


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, texts: bool) -> Any:
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{member.filename[:80]} is compressed, as no run writes it")
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, by_column, dtype = header(stream)
        if not (texts and dtype.kind == "U"):
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

"""Arrays as one .npz, stored without compression, and read although the file may be anybody's."""

from __future__ import annotations

import math
import mmap
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from bench import chunks
from bench.disk.durable import write_whole

PIECE = 10_000
"""Rows that are written at a time."""


def write(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write the file whole; OSError."""

    def fill(temporary: Path) -> None:
        with temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)

    write_whole(path, fill)


def write_mapped(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """The same a piece at a time, for arrays that are no more in memory than that; `mapped` reads them so. OSError."""

    def fill(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    member.write(_header(array, archive.fp.tell() if archive.fp else 0))
                    for at in range(0, max(len(array), 1), PIECE):
                        member.write(np.ascontiguousarray(array[at : at + PIECE]).tobytes())
                        chunks.forget(array)

    write_whole(path, fill)


def mapped(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of such a file, read-only maps of it; OSError, or ValueError with a sentence."""
    with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
        size = os.fstat(stream.fileno()).st_size
        found = {}
        for member in archive.infolist():
            stream.seek(member.header_offset + 26)
            start = member.header_offset + 30 + sum(int.from_bytes(stream.read(2), "little") for _ in range(2))
            stream.seek(start)
            if member.compress_type != zipfile.ZIP_STORED or np.lib.format.read_magic(stream) != (2, 0):
                raise ValueError("it was not written to be read so")
            shape, columnwise, dtype = np.lib.format.read_array_header_2_0(stream)
            at = stream.tell()
            if dtype.hasobject or columnwise or at + math.prod(shape) * dtype.itemsize > size:
                raise ValueError("its arrays claim more bytes than it has")
            whole = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            found[member.filename.removesuffix(".npy")] = np.ndarray(shape, dtype, buffer=whole, offset=at)
        return found


def _header(array: npt.NDArray[Any], start: int) -> bytes:
    """That of a .npy file which begins at that byte of another, of such a length that the numbers are aligned."""
    text = repr({"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}).encode()
    text += b" " * (-(start + 12 + len(text) + 1) % 64) + b"\n"
    return np.lib.format.magic(2, 0) + len(text).to_bytes(4, "little") + text


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

"""Durable writes: a file or folder appears whole, is on disk when the call returns, and a failure leaves nothing."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
UNWRITABLE = FULL | {errno.EROFS, errno.EIO}
STORAGE = 74
"""Exit code of a child that could not store a fit because of that (EX_IOERR)."""
_WORDS = ("No space left on device", "Disk quota exceeded", "File too large", "Read-only file system", "errno = 28")
_EXCHANGE = 2
_AT_FDCWD = -100


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON whole: temporary file, fsync, rename, fsync of the folder."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Strict JSON."""
    return json.dumps(value, indent=1, allow_nan=False).encode()


def write_ahead(path: Path, content: bytes) -> None:
    """Write a file of a folder that `put_folder` will put in its place, which has its name on disk, too."""
    path.write_bytes(content)
    if content:  # an empty file is no more than its name
        sync(path)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole: temporary file, fsync, rename, fsync of the folder."""

    def fill(temporary: Path) -> None:
        temporary.write_bytes(content)

    write_whole(path, fill)


def write_whole(path: Path, fill: Callable[[Path], object]) -> None:
    """Let `fill` write a temporary file, then put it in place of `path`; nothing is left behind when that fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)  # whatever it is, nothing is written through it
    try:
        fill(temporary)
        sync(temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Have a file's content, or a folder's list of names, on disk: it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_folder(ready: Path, final: Path) -> None:
    """Rename a folder into place, at once also where another is there: that one is then removed."""
    sync(ready)
    if final.is_symlink() or (os.path.lexists(final) and not final.is_dir()):
        remove(final)  # nothing that a run has written
    if final.exists():
        _exchange(ready, final)
        shutil.rmtree(ready, ignore_errors=True)
    else:
        os.rename(ready, final)
    sync(final.parent)


def _exchange(a: Path, b: Path) -> None:
    """Swap two names in one step; where the file system cannot, `b` is absent between two renames."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "renameat2"):
        if libc.renameat2(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _EXCHANGE) == 0:
            return
        if ctypes.get_errno() not in {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(a))
    aside = a.with_name(f"{a.name}.old")
    os.rename(b, aside)
    os.rename(a, b)
    os.rename(aside, a)


def remove(path: Path) -> None:
    """Remove a file or link, or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def unwritable(error: BaseException) -> bool:
    """Whether an error says that a file system takes no more: full, over quota, read-only or broken."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in UNWRITABLE
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 -- a contender's own error may be unable to say anything
        return False
    return any(words in text for words in _WORDS)  # HDF5 has no numbers for it


def has_room(folder: Path) -> bool:
    """Whether a small file can still be written there."""
    try:
        write_bytes(folder / ".room", b"\0" * 65_536)
        (folder / ".room").unlink()
    except OSError:
        return False
    return True


def described(folder: Path) -> str:
    """The file system that a folder lies on or will lie on, with what is free of it, in words."""
    mounts, folder = Path("/proc/self/mounts"), folder.resolve()
    lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines() if mounts.exists() else []
    points = (line.split()[1].replace("\\040", " ") for line in lines)
    holding = [point for point in points if folder.is_relative_to(point)] or ["/"]
    free = shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.is_dir())).free
    return f"the file system at {max(holding, key=len)} ({free / 2**20:.1f} MiB free)"

"""Precision, compilation and its seconds of PyTensor, for every framework that stands on it."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytensor
from numba.core import event
from numba.core.errors import NumbaPerformanceWarning

from bench.types import Place, Unavailable

try:
    from pytensor.compile.debug import profiling  # since PyTensor 3
except ImportError:
    from pytensor.compile import profiling

_numba = event.TimingListener()
event.register("numba:compiler_lock", _numba)


def start(place: Place) -> None:
    """Set the precision, and keep nothing that Numba compiles; Unavailable for a GPU."""
    if place.device != "cpu":
        raise Unavailable(f"{place.device} was asked for; PyTensor {pytensor.__version__} computes on the CPU only")
    pytensor.config.floatX = place.dtype
    pytensor.config.numba__cache = False


def compile_seconds() -> float:
    """Seconds that PyTensor rewrote graphs and linked functions, and that Numba compiled, which it does on a call."""
    return float(
        profiling.total_graph_rewrite_time + profiling.total_time_linker + (_numba.duration if _numba.done else 0.0)
    )


def complaints(linker: str) -> tuple[str, ...]:
    """What the reader of seconds must know of how densities were evaluated."""
    slow = linker == "default" and not pytensor.config.cxx
    return ("PyTensor found no C compiler: densities were evaluated in Python, tens of times slower",) if slow else ()


@contextmanager
def compiling(linker: str) -> Iterator[None]:
    """Compile with nothing kept of an earlier process, by Numba alone or by PyTensor's default.

    PyTensor's folder keeps the C of every model this user has compiled: a cold number would be warm unnoticed. So C is
    compiled into a folder that was not there before and is gone afterwards; what is loaded stays so. Without a
    compiler PyTensor makes no C, which Numba can do without, not even the loop that calls Python functions.
    """
    if linker == "numba":
        with pytensor.config.change_flags(cxx=""), warnings.catch_warnings():
            # of transposed arrays, which PyTensor hands to np.dot as they are
            warnings.filterwarnings("ignore", category=NumbaPerformanceWarning)
            yield
        return
    folder = _folder()
    folder.mkdir(exist_ok=True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "A module that was loaded by this ModuleCache can no longer be read")
            yield
    finally:
        shutil.rmtree(folder)


@cache
def _folder() -> Path:
    """That of this process: PyTensor takes no other one later."""
    folder = Path(tempfile.mkdtemp(prefix="pytensor-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # PyTensor locks it once more at the end
    pytensor.config.compiledir = folder
    return Path(pytensor.config.compiledir)

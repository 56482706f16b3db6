"""Stan programs built and loaded: precision, compiler, compile seconds, and no cache of built programs but a run's own.

httpstan keeps every program that it has built in a folder of the user and takes it from there. Here it sees an empty
folder for each one, which is gone once the program is loaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib.util
import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
import time
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

with warnings.catch_warnings():
    # httpstan imports setuptools, whose distutils takes the place of one that another framework has imported before
    warnings.filterwarnings("ignore", "(Setuptools is replacing|Distutils was imported before)", UserWarning)
    import httpstan.cache
    import httpstan.models

from bench.types import Place, Unavailable, Unsupported

PREFIX = "bench-stan-"
TRIES = 20
STALE_SECONDS = 3600.0
"""No program takes so long to build: an older folder is of a process that was killed meanwhile."""

_seconds = 0.0
_reused = 0
_kept: Path | None = None
_beside = 0
_complaints: list[str] = []


def start(place: Place) -> None:
    """Unavailable without a C++ compiler; Unsupported in single precision."""
    if place.device != "cpu":
        raise Unavailable(f"device {place.device!r} was asked for, but Stan computes on the CPU only here")
    if place.dtype != "float64":
        raise Unsupported(f"Stan computes in float64 only, and {place.dtype} was asked for")
    compiler = shlex.split(os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "g++")[0]
    if shutil.which(compiler) is None:
        raise Unavailable(
            f"Stan builds its programs with a C++ compiler, and {compiler} is not on the path; install g++"
        )


def compile_seconds() -> float:
    """Seconds of translation by stanc, C++ compilation and loading so far."""
    return _seconds


def reuse_compiled(folder: str) -> None:
    """Keep what is built in a folder of this run, and take it from there in its later rounds."""
    global _kept
    _kept = Path(folder)


def reused_compiled() -> int:
    """Programs that were not built but taken from the folder, so far."""
    return _reused


def peak_bytes_beside() -> int:
    """Most memory that processes of the chains had of their own beside this process, together."""
    return _beside


def note_bytes_beside(used: int) -> None:
    """Chains in processes of their own have used so many bytes at once."""
    global _beside
    _beside = max(_beside, used)


def complaints() -> tuple[str, ...]:
    """What the reader of seconds must know of the programs built since this was asked last."""
    said = tuple(_complaints)
    _complaints.clear()
    return said


@cache
def extension(program: str, library: Path | None = None) -> ModuleType:
    """The extension module of a Stan program, built with httpstan's own flags unless it is loaded or kept.

    An object file `library` is linked to it; the attribute `library` of the module has its C functions.
    """
    global _seconds, _reused
    began = time.perf_counter()
    name = httpstan.models.calculate_model_name(program)
    kept = _kept / f"{Path(name).name}{library.stem if library else ''}.so" if _kept else None
    if kept is not None and kept.exists():
        module = _load(kept)
        _reused += 1
    else:
        _sweep()
        with tempfile.TemporaryDirectory(prefix=PREFIX) as scratch:
            module = _load(_build(program, name, Path(scratch), kept, library))
    _seconds += time.perf_counter() - began
    return module


def evaluated(module: ModuleType, given: Mapping[str, Any], z: list[float]) -> tuple[float, list[float]] | None:
    """Log density, Jacobian included and constants left out, and its gradient; None where the program refuses z."""
    with contextlib.suppress(ValueError, RuntimeError):  # std::domain_error and others, as its samplers catch them
        return module.log_prob(given, z, True), module.log_prob_grad(given, z, True)
    return None


def _sweep() -> None:
    """Remove what killed processes have left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another one sweeps as well
            if time.time() - folder.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _build(program: str, name: str, scratch: Path, kept: Path | None, library: Path | None) -> Path:
    """Translate and compile; setuptools puts files into the working folder, and takes settings from there."""
    httpstan.cache.cache_directory = lambda: scratch
    linked = {"LDFLAGS": " ".join(filter(None, [os.environ.get("LDFLAGS"), str(library or "")]))}
    with contextlib.chdir(scratch), warnings.catch_warnings(), mock.patch.dict(os.environ, linked):
        warnings.simplefilter("ignore", DeprecationWarning)  # of how httpstan finds its own files
        _translate_and_compile(program)
    built: Path = next(httpstan.cache.model_directory(name).glob("*.so"))
    if kept is not None:  # whole or not at all, as an interrupted link would be taken for a program
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(built, kept.with_suffix(".part"))
        kept.with_suffix(".part").replace(kept)
    return built


def _translate_and_compile(program: str) -> None:
    """httpstan gives stanc one second, which may not do on a busy machine: it is then started anew."""
    for late in range(TRIES):
        with contextlib.suppress(subprocess.TimeoutExpired):
            asyncio.run(httpstan.models.build_services_extension_module(program))
            if late:
                _complaints.append(f"stanc did not end within a second {late} times, which compile seconds include")
            return
    raise RuntimeError(f"stanc did not end within the second that httpstan gives it, {TRIES} times: a busy machine")


def _load(file: Path) -> ModuleType:
    """Its name is compiled into every module of httpstan's."""
    spec = importlib.util.spec_from_file_location("stan_services", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.library = ctypes.CDLL(str(file))  # type: ignore[attr-defined]
    return module

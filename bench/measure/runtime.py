"""What a framework's runtime says of its device, threads and compilation, with a default for all of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import ModuleType
from typing import Any, NamedTuple

from bench.errors import printable, shown
from bench.types import Place, Unavailable


def _start(place: Place) -> None:
    if place.device != "cpu":
        raise Unavailable(f"device {place.device!r} was asked for, but this framework computes on the CPU only")


@dataclass(frozen=True)
class Runtime:
    """A framework at work in this process. Its `runtime.py`, or the module `RUNTIME` names, may define functions of
    these names; each has a default, right for NumPy on the host: nothing to set, to wait for or to compile.
    """

    versions: Callable[[], Mapping[str, str]]
    """Versions of what computes; by default those of the framework's PACKAGES."""
    start: Callable[[Place], None] = _start
    """Set device, dtype and threads, and open the device, so that no fit does; Unavailable where it is not there."""
    synchronize: Callable[[], None] = lambda: None
    """Wait for everything dispatched to the device."""
    peak_device_bytes: Callable[[], int | None] = int
    """Most bytes in use on the device since the process began; 0 on the CPU, None where nothing counts them."""
    peak_bytes_beside: Callable[[], int] = int
    """Most memory that processes of the framework's own, such as one per chain, had beside this one at once."""
    compile_seconds: Callable[[], float] = float
    """Seconds of compilation so far that the framework itself reports."""
    threads: Callable[[], int | None] = lambda: None
    """Threads as the library reads them back; None where it does not tell."""
    reuse_compiled: Callable[[str], None] = lambda folder: None
    """Keep compiled programs in a folder of this run, and take them from there in its later rounds."""
    reused_compiled: Callable[[], int] = int
    """Programs taken from that folder so far."""


def runtime_of(framework: str) -> Runtime:
    """The runtime of a framework, whose packages are imported here if they were not before."""
    home = importlib.import_module(f"backends.{framework}")
    declared = getattr(home, "PACKAGES", ("numpy",))
    packages = declared if isinstance(declared, dict) else {name: name for name in declared}
    versions = {packages[name]: _version(importlib.import_module(name)) for name in packages}
    module = _if_there(getattr(home, "RUNTIME", f"backends.{framework}.runtime"))
    stated = {field.name: getattr(module, field.name) for field in fields(Runtime) if hasattr(module, field.name)}
    return Runtime(**{"versions": lambda: versions, **stated})


def _if_there(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None


def _version(module: ModuleType) -> str:
    return str(getattr(module, "__version__", "unknown"))


class Facts(NamedTuple):
    """What a runtime says of its process, and a sentence on each thing it cannot say."""

    peak_device_bytes: int | None
    versions: dict[str, str]
    threads: int | None
    notes: list[str]
    peak_bytes_beside: int = 0


def facts(runtime: Runtime) -> Facts:
    """What of these a runtime says in the type that is asked for."""
    notes: list[str] = []

    def ask(name: str, fits: Callable[[Any], bool]) -> Any:
        try:
            value = getattr(runtime, name)()
            if fits(value):
                return value
            why = f"it gave {shown(value)}"
        except Exception as error:  # noqa: BLE001 -- a runtime may raise anything
            why = f"{type(error).__name__}: {printable(str(error), 200)}"
        notes.append(f"runtime.{name}() cannot be used: {why}")
        return None

    def number(value: Any) -> bool:
        return value is None or (isinstance(value, int) and 0 <= value < 2**63)

    def texts(value: Any) -> bool:
        return isinstance(value, Mapping) and all(isinstance(text, str) for item in value.items() for text in item)

    device, versions, threads = ask("peak_device_bytes", number), ask("versions", texts), ask("threads", number)
    return Facts(device, dict(versions or {}), threads, notes, ask("peak_bytes_beside", number) or 0)

"""Models of the user's own: the file of a framework in the folder of the model, run in the child that fits."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.types import Dataset, Unsupported


def function(data: Dataset, framework: str, name: str) -> Any:
    """The function of that name in the framework's file; Unsupported where there is none."""
    file = Path(data.source) / f"{framework}.py"
    if not file.is_file():
        raise Unsupported(f"the model {file.parent.name} has no {file.name}")
    found = getattr(_module(file, file.stat().st_mtime_ns), name, None)
    if not callable(found):
        raise Unsupported(f"{file.parent.name}/{file.name} defines no function {name}")
    return found


def text(data: Dataset, name: str) -> str:
    """The file of that name beside the model; Unsupported where there is none."""
    file = Path(data.source) / name
    if not file.is_file():
        raise Unsupported(f"the model {file.parent.name} has no {file.name}")
    return file.read_text(encoding="utf-8")


def framework(data: Dataset, files: Sequence[str]) -> str:
    """The first of these files, by stem, that the folder of the model has; the first of all where there is none."""
    return next((stem for stem in files if (Path(data.source) / f"{stem}.py").is_file()), files[0])


@lru_cache(maxsize=8)
def _module(file: Path, changed: int) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"own_{file.parent.name}_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise Unsupported(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sizes(data: Dataset) -> dict[str, int]:
    """Whole numbers alone, which shapes may depend on: known when a program is made."""
    return {name: int(x) for name, x in data.arrays.items() if _is_size(x)}


def arrays(data: Dataset) -> tuple[str, ...]:
    """Names of all other data, sorted."""
    return tuple(sorted(name for name, x in data.arrays.items() if not _is_size(x)))


def _is_size(x: Any) -> bool:
    return bool(x.ndim == 0 and x.dtype.kind == "i")

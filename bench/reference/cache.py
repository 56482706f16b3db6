"""The reference of a data set, from a cache on disk where it was costly to compute."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np

from bench.catalog.frameworks import version_of
from bench.catalog.places import cache_folder, root
from bench.data import family
from bench.disk import npz
from bench.errors import NoReference
from bench.families import family_file, source_digest
from bench.protocols import Reference
from bench.reference import stored
from bench.types import Dataset

PACKAGE = "scenarios.families."


@runtime_checkable
class Storable(Protocol):
    """A reference worth keeping: its class makes it again as `cls(data, state)`."""

    def state(self) -> dict[str, Any]:
        """Arrays that say everything, none of objects."""


def reference(data: Dataset, own: Path | None = None) -> Reference:
    """The reference of the data's family, kept for the next time if it is costly; NoReference where there is none.

    A file `own` of stored references, where the scenario names one that has these data, comes first.
    What is kept is found by content: data, the family's sources, and the versions that draw its random numbers.
    """
    if own is not None and (stored_reference := stored.load(own, data)) is not None:
        return stored_reference
    file = cache_folder() / "references" / f"{key(data)}.npz" if data.digest else None
    if file is not None and (kept := _load(file)) is not None:
        return _restored(data, kept)
    try:
        posterior = family(data.family).reference(data)
    except NoReference as reason:
        if file is not None and getattr(reason, "costly", False):
            _save(file, {"refused": np.array(str(reason))})
        raise
    if file is not None and isinstance(posterior, Storable):
        kind = type(posterior)
        _save(file, {**posterior.state(), "class": np.array(f"{kind.__module__}:{kind.__qualname__}")})
    return posterior


def key(data: Dataset) -> str:
    """What names the reference of a data set: a digest of all that it depends on."""
    source, smoothing = source_digest(family_file(data.family)), root() / "bench" / "stats" / "pareto.py"
    parts = (
        data.family,
        data.digest,
        source,
        smoothing.read_text(encoding="utf-8"),
        *map(version_of, ("numpy", "scipy", "arviz-stats")),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _load(file: Path) -> dict[str, Any] | None:
    """The arrays of a file; None where there is none or it is damaged."""
    try:
        with file.open("rb") as stream:
            kept = npz.read(stream, texts=True)
    except (OSError, ValueError):
        return None
    known = "refused" in kept or str(kept.get("class", "")).startswith(PACKAGE)
    return kept if known else None


def _restored(data: Dataset, kept: Mapping[str, Any]) -> Reference:
    if "refused" in kept:
        raise NoReference(str(kept["refused"]))
    module, _, name = str(kept["class"]).partition(":")
    kind = getattr(importlib.import_module(module), name)
    return cast(Reference, kind(data, {k: v for k, v in kept.items() if k != "class"}))


def _save(file: Path, state: Mapping[str, Any]) -> None:
    """Write the file whole; nothing is kept where nothing can be written."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        npz.write(file, state)

"""References that were made once and stored beside their scenario: by long runs, or of draws that the user brings."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.disk import npz
from bench.errors import NoReference
from bench.types import Dataset
from bench.words import program
from scenarios.families.posteriors.weighted import WeightedPosterior

LARGEST = 2**30
"""Bytes of such a file at most."""


def load(file: Path, data: Dataset) -> WeightedPosterior | None:
    """The reference of this data set in a file; None where it has none. Unreadable where it is no such file."""
    states = read(file)
    own = {key.partition("/")[2]: value for key, value in states.items() if key.startswith(f"{data.digest}/")}
    if not own:
        return None
    if own["mean"].shape != (sum(p.size for p in data.parameters),):
        raise NoReference(
            f"{file.name} has a reference of other parameters; make it again by {program.command('reference')}"
        )
    return WeightedPosterior(data, own)


class Unreadable(NoReference):
    """The file is there and is none of stored references."""


def read(file: Path) -> dict[str, Any]:
    """All that is stored in a file, {digest/field: array}; Unreadable where it is no such file."""
    try:
        if file.stat().st_size > LARGEST:
            raise ValueError(f"more than {LARGEST} bytes")
        with file.open("rb") as stream:
            return npz.read(stream, texts=True)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
        raise Unreadable(f"the stored reference {file.name} cannot be read: {why}") from None


def save(file: Path, states: Mapping[str, Mapping[str, Any]]) -> None:
    """Add references {data digest: state} to a file, written whole; OSError."""
    kept: dict[str, Any] = {}
    with contextlib.suppress(NoReference):
        kept = read(file)
    for digest, state in states.items():
        kept = {key: value for key, value in kept.items() if not key.startswith(f"{digest}/")}
        kept |= {f"{digest}/{field}": value for field, value in state.items()}
    npz.write(file, kept)

"""Files of runs, changed at random: bytes of every kind of file, and values of those that are JSON."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.comparison import baseline
from bench.errors import UsageError
from bench.score.stored import DamagedDraws, Stored, load_fit
from bench.store import tables
from bench.store.folder import RunFolder
from bench.store.records import Record
from tests import small_run

ODD: list[Any] = [
    None, True, -1, 0, 2**63, 10**400, -0.5, 1e308, "", "x" * 5000, "\x1b[31m", "\u202e", "../../etc", "=1+1", [], [[]],
    {}, {"a": 1}, [1, 2, 3], "nan", "ok", "2026-13-40",
]  # fmt: skip


def bytes_changed(content: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes set, a piece cut out, doubled or moved, or the end cut off."""
    data = bytearray(content)
    how = rng.integers(5)
    a, b = sorted(int(i) for i in rng.integers(0, len(data) + 1, 2))
    if how == 0:
        for at in rng.integers(0, len(data), int(rng.integers(1, 9))):
            data[at] = int(rng.integers(256))
    elif how == 1:
        del data[a : min(b, a + 64)]
    elif how == 2:
        data[a:a] = data[a : min(b, a + 64)]
    elif how == 3:
        del data[a:]
    else:  # numbers of a binary header
        at = int(rng.integers(0, max(1, len(data) - 8)))
        data[at : at + 8] = rng.choice([b"\xff" * 8, b"\x00" * 8, (2**40).to_bytes(8, "little")])
    return bytes(data)


def value_changed(value: Any, rng: np.random.Generator) -> Any:
    """JSON with one value, at any depth, replaced by an odd one, or a key taken out."""
    changed = copy.deepcopy(value)
    places = list(_places(changed))
    holder, key = places[int(rng.integers(len(places)))]
    if isinstance(holder, dict) and rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = ODD[int(rng.integers(len(ODD)))]
    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def _fit(folder: RunFolder) -> None:
    entry = folder.manifest().cells[0]
    load_fit(folder, Stored(entry, Record(entry.id, 0, 0, 0, True, "ok")))


def _rows(folder: RunFolder) -> None:
    planned = sum(1 for _ in folder.planned())
    if planned < 1000:  # a changed plan may be large, and that is no fault
        assert len(tables.fits_table(folder)) == planned


def _tables(folder: RunFolder) -> None:
    tables.read_all(folder, folder.manifest())


READERS: dict[str, tuple[str, Callable[[RunFolder], object], tuple[type[Exception], ...]]] = {
    "run.json": ("run.json", _rows, (UsageError,)),
    "record.json": ("{fit}/record.json", _rows, ()),
    "children.jsonl": ("children.jsonl", _rows, ()),
    "draws.nc": ("{fit}/draws.nc", _fit, (DamagedDraws,)),
    "draws.npz": ("{fit}/draws.npz", _fit, (DamagedDraws,)),
    "fits.parquet": ("fits.parquet", _tables, ()),
    "metrics.parquet": ("metrics.parquet", _tables, ()),
    "base.json": ("base.json", lambda folder: baseline.load("base.json", folder.path), (UsageError,)),
}
"""{kind of file: where it is in a run, what reads it, what that may raise}."""


def trial(run: Path, kind: str, rng: np.random.Generator) -> None:
    """Change one file of the run, read it, and put it back; whatever the reader may not raise is raised."""
    place, read, allowed = READERS[kind]
    folder = RunFolder(run)
    file = run / place.format(fit=small_run.fit_of(run, "fake.exact", 0).relative_to(run))
    content = file.read_bytes()
    if file.suffix == ".json" and rng.random() < 0.7:
        file.write_bytes(json.dumps(value_changed(json.loads(content), rng)).encode())
    else:
        file.write_bytes(bytes_changed(content, rng))
    try:
        read(folder)
    except allowed:
        pass
    finally:
        file.write_bytes(content)

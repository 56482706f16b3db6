"""Designs that formulas made of data files, found by what they were made of. Imports numpy only, as children do.

`bench.formula` makes them, in the process that plans; a run keeps those of its scenarios for its children.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench import chunks
from bench.catalog.places import cache_folder
from bench.disk import npz
from bench.errors import ScenarioError, UsageError
from bench.types import Array, Design, beside, digest_of

KEYS = ("formula", "likelihood")
"""Keys of a scenario file that only a formula needs."""
IN_CHUNKS = "chunk_rows"
"""The key of one whose design's arrays are maps of its file, read so many rows at a time."""
DATA = ("file", "missing", "standardise", "offset", "trials", "frequency", "separator", "decimal")
"""Keys of its `[data]` table."""
HOLDOUT = ("share", "seed")
"""Keys of its `[holdout]` table."""
LIKELIHOODS: Mapping[str, str] = {
    "gaussian": "linear",
    "student_t": "robust",
    "bernoulli": "logistic",
    "binomial": "binomial",
    "poisson": "poisson",
    "negative_binomial": "negative_binomial",
    "gamma": "gamma",
}
"""{likelihood of a formula: family of regressions}."""
GROUPED = re.compile(r"\+?\s*\(\s*([^()|]+?)\s*\|\s*([^()|]+?)\s*\)")
"""`+ (1 | g)`: what varies, and by what."""

VERSION = 1
"""Raised whenever the same formula and file give another design, so that kept ones are made anew."""
_made: dict[str, Design] = {}


class NoDesign(UsageError):
    """A formula whose design is not there: whoever plans makes it by `bench.formula.make`."""

    def __init__(self, file: Path, table: Mapping[str, Any], name: str) -> None:
        super().__init__(f"{file.name}: the design of its formula was not kept beside it; load it by bench.selected")
        self.file, self.table, self.name = file, table, name


def family_of(table: Mapping[str, Any]) -> str:
    """The family that serves a formula and its likelihood; ScenarioError."""
    formula, likelihood = table.get("formula"), table.get("likelihood", "gaussian")
    if not isinstance(formula, str) or not formula.strip():
        raise ScenarioError("formula", formula, 'it must be a text such as "y ~ age + C(region)"')
    if not isinstance(likelihood, str) or likelihood not in LIKELIHOODS:
        raise ScenarioError("likelihood", likelihood, f"it must be one of {', '.join(LIKELIHOODS)}")
    if "family" in table:
        raise ScenarioError("family", table["family"], "beside a formula the likelihood says it; leave family out")
    if GROUPED.search(formula):
        return "varying_intercept" if likelihood == "gaussian" else "grouped_regression"
    return LIKELIHOODS[likelihood]


def find(file: Path, table: Mapping[str, Any]) -> Design:
    """The design of a scenario file with this content; NoDesign where it is not there, ScenarioError without data."""
    data, holdout = table.get("data"), table.get("holdout", {})
    path = beside(file, data.get("file")) if isinstance(data, dict) else None
    try:
        if not isinstance(data, dict) or not isinstance(holdout, dict) or path is None:
            raise FileNotFoundError
        with path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        wanted = "a formula needs [data] file, a CSV or Parquet file in or below the folder of the scenario's file"
        raise ScenarioError("data", data, wanted) from None
    relevant = [VERSION, content, Path(data["file"]).suffix, data, holdout, *(table.get(key) for key in KEYS)]
    in_chunks = IN_CHUNKS in table
    name = digest_of([*relevant, table[IN_CHUNKS]] if in_chunks else relevant)[:24]
    for place in (file.parent / f"{name}.npz", _cached(name)):
        if name not in _made and (kept := _read(place, in_chunks=in_chunks)) is not None:
            _made[name] = kept
    if name not in _made:
        raise NoDesign(file, table, name)
    return _made[name]


def remember(name: str, design: Design) -> None:
    """Let `find` find it: in this process, and later ones where the cache can be written."""
    _made[name] = design
    with contextlib.suppress(OSError):
        _cached(name).parent.mkdir(parents=True, exist_ok=True)
        _write(_cached(name), design)
        if _in_file(design) and (kept := _read(_cached(name), in_chunks=True)) is not None:
            _made[name] = kept  # the files that it was made in are gone, then


def keep(design: Design, folder: Path) -> None:
    """Write a design that was found to where `find` looks for those of scenario files in `folder`; OSError."""
    name = next(name for name, known in _made.items() if known is design)
    if not (folder / f"{name}.npz").exists():
        _write(folder / f"{name}.npz", design)


def _cached(name: str) -> Path:
    return cache_folder() / "designs" / f"{name}.npz"


def _write(path: Path, design: Design) -> None:
    words = {field: getattr(design, field) for field in ("labels", "terms", "levels", "dropped", "notes")}
    arrays: dict[str, Any] = {f"arrays/{name}": values for name, values in design.arrays.items()}
    arrays |= {f"holdout/{name}": values for name, values in design.holdout.items()}
    arrays = {"words": np.frombuffer(json.dumps(words).encode(), np.uint8), **arrays}
    (npz.write_mapped if _in_file(design) else npz.write)(path, arrays)


def _in_file(design: Design) -> bool:
    return any(chunks.in_file(values) for values in design.arrays.values())


def _read(path: Path, *, in_chunks: bool) -> Design | None:
    """The design in a file, its arrays maps of it where they are read in chunks; None for none, or a damaged one."""
    try:
        if in_chunks:
            kept: dict[str, Any] = npz.mapped(path)
        else:
            with path.open("rb") as stream:
                kept = npz.read(stream)
        words = json.loads(kept.pop("words").tobytes())
        return Design(
            arrays=_group(kept, "arrays/"),
            holdout=_group(kept, "holdout/"),
            **{field: {k: tuple(v) for k, v in words[field].items()} for field in ("labels", "terms", "levels")},
            dropped=words["dropped"],
            notes=tuple(words["notes"]),
        )
    except (OSError, ValueError, KeyError, AttributeError, TypeError, zipfile.BadZipFile):
        return None


def _group(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    group = {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
    for values in group.values():
        values.flags.writeable = False  # shared by all data sets: a backend must not change ours
    return group

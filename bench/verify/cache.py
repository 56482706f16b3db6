"""Verdicts kept on disk, found again by the content of everything that could change them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from bench.catalog.frameworks import named, sources
from bench.catalog.places import cache_folder, root
from bench.disk.durable import write_json
from bench.families import folders
from bench.measure import host
from bench.store.manifest import Density, Verified, plain
from bench.types import digest_of
from bench.verify.outcome import Pair
from bench.words.reading import as_type

KEPT = ("same", "wrong", "unsupported")
"""Verdicts that follow from the content alone; what ended otherwise may have had another cause."""


def file(key: Density, content: Sequence[object]) -> Path:
    """Where a verdict is kept: named by a hash of what it is about, of what it follows from, and of all versions."""
    return cache_folder() / "verified" / f"{digest_of([key, content, versions()])[:32]}.json"


def load(file: Path, key: Density, kept: Sequence[str] = KEPT) -> Verified | None:
    """The verdict in a file; None where there is none, it is damaged, or of no verdict that is `kept`."""
    try:
        outcome = as_type({**json.loads(file.read_text(encoding="utf-8")), "cached": True}, Verified)
    except (OSError, ValueError, TypeError):
        return None
    return outcome if outcome.key == key and outcome.verdict in kept else None


def store(file: Path, outcome: Verified, kept: Sequence[str] = KEPT) -> None:
    """Keep a verdict that follows from content; where nothing can be written, the next run verifies again."""
    if outcome.verdict in kept:
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, plain(outcome))


def files_of(pairs: Sequence[Pair]) -> dict[Density, Path]:
    """Where the verdicts on these are kept: by the sources of framework, families and this gate, and by the scenario.

    Sources are read now: what is edited while a child runs cannot have its verdict kept under the new content.
    """
    harness = harness_digest()
    own = {name: _digest(sources(named(name).folder)) for name in {pair.framework for pair in pairs}}
    return {pair.key: file(pair.key, [own[pair.framework], harness, pair.scenario.digest]) for pair in pairs}


def harness_digest() -> str:
    """Hash of what makes the data and the expected values, and of the gate itself."""
    bench = root() / "bench"
    files = ("types.py", "data.py", "measure/worker.py", "measure/contender.py", "measure/target.py")
    own = [*(bench / "verify").glob("*.py"), *(bench / name for name in files)]
    families = (file for folder in folders() for ending in ("py", "stan") for file in folder.rglob(f"*.{ending}"))
    return _digest([*own, *families])


def _digest(files: Iterable[Path]) -> str:
    return hashlib.sha256(b"\0".join(f.name.encode() + b"\0" + f.read_bytes() for f in sorted(set(files)))).hexdigest()


@cache
def versions() -> tuple[tuple[str, str], ...]:
    """Versions of Python, of the machine's kind, and of every package that can change a density."""
    everything = {**host.versions(), "python": platform.python_version(), "machine": platform.machine()}
    return tuple(sorted(everything.items()))

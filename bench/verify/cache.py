"""Verdicts kept on disk, found again by the content of everything that could change them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from bench.catalog.frameworks import Framework, sources
from bench.catalog.places import cache_folder, root
from bench.measure import host
from bench.store.durable import write_json
from bench.store.manifest import Verified, plain
from bench.types import digest_of
from bench.verify.outcome import Pair
from bench.words.reading import as_type

KEPT = ("same", "wrong", "unsupported")
"""Verdicts that follow from the content alone; what ended otherwise may have had another cause."""


class Verdicts:
    """What was judged earlier of these frameworks. Their sources are read when this is made, before any child: what is
    edited while one runs cannot have its verdict kept under the new content.
    """

    def __init__(self, frameworks: Iterable[Framework]) -> None:
        self._folder = cache_folder() / "verified"
        self._harness = harness_digest()
        self._frameworks = {framework.name: _digest(sources(framework.folder)) for framework in frameworks}

    def file(self, pair: Pair, framework: Framework) -> Path:
        """Named by a hash of the framework's sources, the families', the scenario, this gate's, and all versions."""
        sources = (self._frameworks[framework.name], self._harness, pair.scenario.digest)
        content = [pair.key, sources, versions()]
        return self._folder / f"{digest_of(content)[:32]}.json"

    def load(self, pair: Pair, framework: Framework) -> Verified | None:
        """The verdict on exactly this content; None where there is none, or its file is damaged."""
        try:
            stored = json.loads(self.file(pair, framework).read_text())
            outcome = as_type({**stored, "cached": True}, Verified)
        except (OSError, ValueError, TypeError):
            return None
        return outcome if outcome.key == pair.key and outcome.verdict in KEPT else None

    def store(self, pair: Pair, framework: Framework, outcome: Verified) -> None:
        """Keep a verdict that follows from content; where nothing can be written, the next run verifies again."""
        file = self.file(pair, framework)
        if outcome.verdict in KEPT:
            with contextlib.suppress(OSError):
                file.parent.mkdir(parents=True, exist_ok=True)
                write_json(file, plain(outcome))


def harness_digest() -> str:
    """Hash of what makes the data and the expected values, and of the gate itself."""
    bench = root() / "bench"
    files = ("types.py", "data.py", "measure/worker.py", "measure/contender.py", "measure/target.py")
    own = [*(bench / "verify").glob("*.py"), *(bench / name for name in files)]
    return _digest([*own, *(root() / "scenarios" / "families").rglob("*.py")])


def _digest(files: Iterable[Path]) -> str:
    return hashlib.sha256(b"\0".join(f.name.encode() + b"\0" + f.read_bytes() for f in sorted(set(files)))).hexdigest()


@cache
def versions() -> tuple[tuple[str, str], ...]:
    """Versions of Python, of the machine's kind, and of every package that can change a density."""
    everything = {**host.versions(), "python": platform.python_version(), "machine": platform.machine()}
    return tuple(sorted(everything.items()))

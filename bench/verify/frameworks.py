"""Frameworks that have a log density of their own to be verified, chosen by the names a user knows."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.catalog.backends import BackendInfo, backend
from bench.catalog.places import backend_files
from bench.errors import UsageError, unknown
from bench.selection import expand, parse


@dataclass(frozen=True)
class Framework:
    """A folder of backends, known by one of them."""

    name: str
    folder: Path
    one: BackendInfo

    @cached_property
    def has_density(self) -> bool:
        """Whether its `models.py` defines `log_density`: then its backends fit what that says."""
        models = self.folder / "models.py"
        return models.is_file() and any(line.startswith("def log_density(") for line in models.read_text().splitlines())

    @property
    def unavailable(self) -> str:
        """What is not installed, with the command that installs it; empty when nothing is missing."""
        missing = self.one.missing
        return f"{', '.join(missing)} is not installed; {self.one.install}" if missing else ""


def frameworks() -> dict[str, Framework]:
    """Every framework that has a backend, by name."""
    found: dict[str, Framework] = {}
    for name, file in backend_files().items():
        folder = name.partition(".")[0]
        if folder not in found:
            found[folder] = Framework(folder, file.parent, backend(name))
    return dict(sorted(found.items()))


def chosen(names: Sequence[str]) -> list[Framework]:
    """Those that `torch`, `py*`, `numpyro.nuts` or `torch.*` name, all where nothing is named; UsageError."""
    known, files, found = frameworks(), backend_files(), set[str]()
    for text in names:
        selector = parse(text)
        if selector.values:
            raise UsageError(f"cannot verify {text!r}: a density has no options; name the backend or framework alone")
        if matching := fnmatch.filter(known, selector.name):
            found |= set(matching)
        elif "." in selector.name:
            found |= {backend_name.partition(".")[0] for backend_name in expand(selector, files, "backend")}
        else:
            raise unknown("backend or framework", selector.name, [*known, *files])
    return [framework for name, framework in known.items() if not names or name in found]

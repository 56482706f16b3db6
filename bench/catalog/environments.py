"""Environments of frameworks that do not fit beside the others: a folder each, with an interpreter of its own.

`bench install` makes one; whatever is fitted with that framework is then fitted there, while plans, scores and reports
are made where the harness runs.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.catalog.places import cache_folder, root

READY = "ready.json"
"""The file of an environment that is whole; it says what was installed, from what, and for which Python."""

LINKS = "code"
"""The folder of an environment with links to the three packages of the harness."""


VERSION = re.compile(r"\d[\w.+!]*(\+[A-Za-z][\w.\-]*@\d[\w.+!]*)*")
"""What a version of a framework reads like in the name of its environment: `0.20`, or `0.20+jax@0.8`."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A whole environment; `facts` are those of its file `READY`."""

    folder: Path
    facts: Mapping[str, Any]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return python_in(self.folder)

    @property
    def version(self) -> str:
        """The version of its interpreter."""
        return str(self.facts["python"])

    @property
    def path(self) -> list[str]:
        """Where its packages lie."""
        return [str(place) for place in sorted(self.folder.glob("lib/python*/site-packages"))]

    def has(self, package: str) -> bool:
        """Whether a package can be imported there; nothing is imported for the answer."""
        from importlib.machinery import PathFinder

        places: list[str] | None = self.path
        for part in package.split("."):
            spec = PathFinder.find_spec(part, places)
            if spec is None:
                return False
            places = list(spec.submodule_search_locations or [])
        return True

    def versions(self, names: Iterable[str]) -> dict[str, str]:
        """{name under which a package is installed: version} of these that are."""
        import importlib.metadata  # here: `bench list` does without

        found = {}
        for name in names:
            for distribution in importlib.metadata.distributions(name=name, path=self.path):
                found[name] = distribution.version
        return found


def environments() -> Path:
    """The folder of all: `BENCH_ENVS`, else `.envs` of the checkout, else in the user's cache folder."""
    if chosen := os.environ.get("BENCH_ENVS"):
        return Path(chosen).absolute()
    return root() / ".envs" if is_checkout() else cache_folder() / "envs"


def python_in(folder: Path) -> Path:
    """Where the interpreter of an environment lies."""
    return folder / "bin" / "python"


@cache
def environment(framework: str) -> Environment | None:
    """That of a framework; None where it has none, or an unfinished one."""
    folder = environments() / framework
    try:
        facts = json.loads((folder / READY).read_text(encoding="utf-8"))
        return Environment(folder, facts) if python_in(folder).exists() and facts["python"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def versions(framework: str) -> list[str]:
    """Versions of a framework that have an environment of their own, sorted."""
    found = (folder.name.partition("@")[2] for folder in sorted(environments().glob(f"{framework}@*")))
    return [version for version in found if VERSION.fullmatch(version) and environment(f"{framework}@{version}")]


def interpreter(framework: str) -> str:
    """The interpreter that a framework's children run: of its environment, or the one that runs here."""
    own = environment(framework)
    return str(own.python) if own is not None else sys.executable


def packages(framework: str) -> Path | None:
    """The folder from which a framework's children import the harness; None where that is `root()`.

    Of a harness that is installed beside its own packages, an own environment has links: what else lies there is for
    another interpreter.
    """
    own = environment(framework)
    return own.folder / LINKS if own is not None and not is_checkout() else None


def is_checkout() -> bool:
    """Whether the harness runs from its sources instead of from where packages are installed."""
    return (root() / "pyproject.toml").is_file()


def here() -> str:
    """The name of the environment that this process runs in; empty for that of the harness."""
    prefix = Path(sys.prefix)
    return prefix.name if prefix.parent.resolve() == environments().resolve() else ""

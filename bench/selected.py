"""The scenarios that a command can choose from: the catalog's by name or glob, files anywhere by their path."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.catalog.places import MODEL, kept_files, name_of, scenario_files
from bench.errors import UsageError, shown
from bench.formula.make import load
from bench.selection import Selector, expand, parse, sweeps
from bench.types import Scenario


class Scenarios:
    """Scenarios by name, each read once; `selectors` are those given, with a name in the place of each path.

    A file's name is its stem. `broken` {name: why} are files that a glob matched and that are no scenarios; a glob
    leaves them out, whoever names one is told why. UsageError for a path without a file, or a name that is taken.
    The folder `along` may bring scenarios along.
    """

    def __init__(self, selectors: Iterable[str] = (), along: Path | None = None) -> None:
        self.files = {**scenario_files(), **(kept_files(along) if along else {})}
        self.broken: dict[str, str] = {}
        self._loaded: dict[tuple[str, str], Scenario] = {}
        self.selectors = [named for text in selectors for named in self._named(text)]

    def expand(self, selector: Selector) -> list[str]:
        """The names that a selector matches; UsageError where there are none."""
        own = f"{selector.name}.toml"
        if selector.name not in self.files and os.path.isfile(own):  # pathlib's raises where a name is too long
            raise UsageError(f"no scenario is called {shown(selector.name)}, but the file {shown(own)} is one")
        names = expand(selector, self.files, "scenario")
        return self._readable(names, selector.name) if selector.is_glob else names

    def load(self, name: str, overrides: Mapping[str, Any] | None = None) -> Scenario:
        """The scenario of a name that `expand` gave; UsageError where its file, or one of the overrides, cannot be."""
        key = name, repr(sorted((overrides or {}).items()))
        if key not in self._loaded:
            self._loaded[key] = load(self.files[name], overrides)
        return self._loaded[key]

    def __iter__(self) -> Iterator[Scenario]:
        """Every scenario of every selector, with each combination of its list values."""
        for text in self.selectors:
            selector = parse(text)
            for name in self.expand(selector):
                for overrides in sweeps(selector.values):
                    yield self.load(name, overrides)

    def _named(self, text: str) -> Iterator[str]:
        """The selector, or one per file where it is a path or a glob of paths."""
        selector = parse(text)
        if not selector.is_path:
            yield text
            return
        path = os.path.expanduser(selector.name)
        files = sorted(glob.glob(path, recursive=True)) if selector.is_glob else [path]
        if not files or not (selector.is_glob or Path(path).exists()):
            raise UsageError(f"there is no scenario file {shown(selector.name)}")
        names = [self._added(Path(file)) for file in files]
        for name in self._readable(names, selector.name) if selector.is_glob else names:
            yield text.strip().replace(selector.name, name, 1)

    def _added(self, file: Path) -> str:
        """The name of a file from now on."""
        file = (file / MODEL if file.is_dir() else file).absolute()
        name = name_of(file)
        if not name or any(sign in name for sign in "*?[]"):
            raise UsageError(f"{shown(file.name)} cannot name a scenario; rename it, without * ? [ ]")
        known = self.files.get(name)
        if known is not None and not _is_same(known, file):
            raise UsageError(f"{file} and {known} have the same name; rename one")
        self.files[name] = known or file
        return name

    def _readable(self, names: list[str], pattern: str) -> list[str]:
        """Those of a glob's names that are scenarios; UsageError where none is."""
        for name in set(names) - self.broken.keys():
            try:
                self.load(name)
            except UsageError as error:
                self.broken[name] = str(error)
        readable = [name for name in names if name not in self.broken]
        if not readable:
            reasons = "; ".join(self.broken[name] for name in names)
            raise UsageError(f"nothing that {shown(pattern)} matches is a scenario: {reasons}")
        return readable


def _is_same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False

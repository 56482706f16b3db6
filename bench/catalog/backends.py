"""Backends as their files declare them: read from the sources, so that no framework is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.catalog import frameworks, source
from bench.catalog.frameworks import Framework
from bench.catalog.options import BUDGET_OPTIONS, Option, validated
from bench.catalog.places import backend_files, backend_folders, unversioned
from bench.errors import UsageError, unknown


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """A backend as its source declares it; `defaults` are its options on the track `defaults`.

    `name` and `framework` are as the user says them, with a version of the framework where he names one.

    `kinds` {"option=value": kind} are exceptions from `kind`. `settings` is what its `Options` say of themselves:
    the settings that are fixed, such as metric and inits. `ends`: why its chains cannot go on from where they are.
    """

    name: str
    file: Path
    kind: str
    doc: str
    options: Mapping[str, Option]
    restricted: tuple[str, ...]
    devices: tuple[str, ...]
    defaults: Mapping[str, Any]
    kinds: Mapping[str, str]
    settings: str
    ends: str
    home: Framework

    @property
    def framework(self) -> str:
        """The name of its framework."""
        return self.home.name

    @property
    def module(self) -> str:
        """Where it lies below `backends`: `numpyro.nuts`."""
        return f"{self.home.module}.{self.file.stem}"

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return self.doc.partition("\n")[0]

    @property
    def families(self) -> tuple[str, ...]:
        """Families it fits: those it names, or those its framework has models of; empty for all there are."""
        return self.restricted or self.home.families

    @property
    def digest(self) -> str:
        """Hash of its source and of what it shares with other backends."""
        return _digest(self.file)

    def kind_of(self, options: Mapping[str, Any]) -> str:
        """The kind of its answers under these options."""
        for setting, kind in self.kinds.items():
            name, _, value = setting.partition("=")
            if str(options.get(name)) == value:
                return kind
        return self.kind

    def continued(self, options: Mapping[str, Any]) -> bool:
        """Whether fits under these options can run until a target: an optimiser or VI stops on its way."""
        return self.kind_of(options) in ("point", "vi") or not self.ends

    def validate(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Checked options in sorted order; UsageError for unknown ones and wrong values."""
        return validated(options, self.options, self.name)


def backend(name: str) -> BackendInfo:
    """One backend's declarations; UsageError for an unknown name or a file that declares nonsense.

    `numpyro@0.21.nuts` is that of a version of its framework, which has an environment of its own.
    """
    plain, version = unversioned(name)
    files = backend_files()
    if plain not in files:
        raise _absent(name)
    return _read(name, files[plain], version)


def forget() -> None:
    """Read all backends again, after files have changed."""
    frameworks.forget()
    for read in (_read, _digest):
        read.cache_clear()


@cache
def _read(name: str, file: Path, version: str) -> BackendInfo:
    declared, home = source.read(file), frameworks.framework(file.parent, version)
    constants = declared.constants
    if "KIND" not in constants:
        raise UsageError(f"{file}: not a readable backend: it has no {source.NO_KIND}")
    if clash := sorted(set(declared.options) & set(BUDGET_OPTIONS)):
        raise UsageError(f"{file}: not a readable backend: option {clash[0]} is the budget's; choose another name")
    return BackendInfo(
        name=name,
        file=file,
        kind=constants["KIND"],
        doc=declared.doc,
        options=declared.options,
        restricted=tuple(constants.get("FAMILIES", ())),
        devices=tuple(constants.get("DEVICES", ("cpu",))),
        defaults=dict(constants.get("DEFAULTS", {})),
        kinds=dict(constants.get("KIND_OF", {})),
        settings=declared.settings,
        ends="" if "resume" in declared.names else constants.get("ENDS", "it has no `resume`"),
        home=home,
    )


def _absent(name: str) -> UsageError:
    """Why there is no such backend: a file that lacks its KIND, or no file."""
    framework, _, method = name.partition(".")
    for folder in backend_folders() if name.replace(".", "").isidentifier() else ():
        file = folder / framework / f"{method}.py"
        if file.is_file():
            return UsageError(f"{file}: not a backend: it has no {source.NO_KIND}")
    return unknown("backend", name, backend_files())


@cache
def _digest(file: Path) -> str:
    own = frameworks.sha256(frameworks.contents(file))
    return frameworks.sha256((own + frameworks.shared_digest(file.parent)).encode())[:16]

"""A framework is one folder: its packages, how they are installed, its own dtype, and the families it has models of."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.catalog import environments, source
from bench.catalog.environments import Environment
from bench.catalog.places import backend_files, root, scanned
from bench.errors import UsageError, unknown
from bench.families import families, models
from bench.words import program


@dataclass(frozen=True, slots=True)
class Framework:
    """What the `__init__.py` and the `models.py` of a folder declare; each of them may be missing.

    `packages` {name in an import: name under which it is installed}; `dtype` is that of the track `defaults`; `own`
    are the files, those of Python by stem, that it can read of a model of the user's own, the preferred first;
    `forkable` says whether a process that has imported it may be forked; `python` are the versions of Python it needs,
    as in ">=3.12"; `version` is that which an environment of its own is for, where a user named one, with those of
    other packages that he named. `broken` says why none of this could be read; nobody but its own backends is the worse
    for it.
    """

    folder: Path
    packages: Mapping[str, str]
    extra: str
    dtype: str
    own: tuple[str, ...]
    forkable: bool
    python: str = ""
    broken: str = ""
    version: str = ""

    @property
    def module(self) -> str:
        """The name of the folder, which is that of its package below `backends`."""
        return self.folder.name

    @property
    def name(self) -> str:
        """The name of the folder; `numpyro@0.21` of a version."""
        return f"{self.module}@{self.version}" if self.version else self.module

    @property
    def pinned(self) -> dict[str, str]:
        """{name under which a package is installed: version} of what the user named: `0.20+jax@0.8` names two."""
        own, *others = re.split(r"\+(?=[A-Za-z][\w.\-]*@)", self.version)
        named = dict(other.split("@") for other in others)
        return {next(iter(self.packages.values())): own, **named} if own else {}

    @property
    def own_files(self) -> list[str]:
        """The names of the files that it can read in the folder of a user's model, the preferred first."""
        return [name if "." in name else f"{name}.py" for name in self.own]

    def own_file(self, model: str) -> str:
        """The name of the file that it reads in the folder of a user's model; its favourite where none is there."""
        return next((name for name in self.own_files if (Path(model) / name).is_file()), self.own_files[0])

    @property
    def environment(self) -> Environment | None:
        """Its own environment, where `bench install` has made one."""
        return environments.environment(self.name)

    @property
    def missing(self) -> tuple[str, ...]:
        """Packages it needs that are not installed, in its own environment where it has one."""
        own = self.environment
        if own is None and self.version:  # what is installed here is another one
            return tuple(self.packages)
        has = own.has if own else _installed
        return tuple(package for package in self.packages if not has(package))

    @property
    def unavailable(self) -> str:
        """Why it cannot be used: what is broken, or not installed, with the command for that; empty where it can."""
        if self.broken:
            return self.broken
        what = [self.name] if self.version else self.missing
        are = "are" if len(what) > 1 else "is"
        return f"{', '.join(what)} {are} not installed; {self.install}" if self.missing else ""

    @property
    def lock(self) -> Path:
        """Versions of all packages of an environment of its own; the file may be missing."""
        return self.folder / "requirements.lock"

    @property
    def install(self) -> str:
        """The command that installs what it needs."""
        if self.lock.is_file() or self.version:
            return program.command("install", self.name)
        return f"pip install 'posterior-bench[{self.extra}]'" if self.extra else "pip install posterior-bench"

    @property
    def families(self) -> tuple[str, ...]:
        """Families that its table `MODELS` has, and those of others whose folder has a file it reads.

        Empty where there is no such table.
        """
        own = () if self.broken else _families(self.folder)
        others = (name for name in families() if name not in own and self._reads(name))
        return (*own, *others) if "model" in own else own

    def _reads(self, family: str) -> bool:
        """Whether there is a file that it reads beside a family of others."""
        folder = models(family)
        return folder is not None and any((folder / name).is_file() for name in self.own_files)

    @property
    def has_density(self) -> bool:
        """Whether its `models.py` defines `log_density`: then its backends fit what that says."""
        models = _models(self.folder)
        return (
            not self.broken
            and models.is_file()
            and any(line.startswith("def log_density(") for line in models.read_text(encoding="utf-8").splitlines())
        )

    @property
    def versions(self) -> dict[str, str]:
        """{name under which a package is installed: its version} of those that are.

        In an environment of its own they are called `framework/package`, NumPy, SciPy and the interpreter among them.
        """
        own = self.environment
        if own is None:
            return versions_of(self.packages.values())
        found = {"python": own.version} | own.versions(dict.fromkeys([*self.packages.values(), "numpy", "scipy"]))
        return {f"{self.name}/{package}": version for package, version in found.items()}


@cache
def framework(folder: Path, version: str = "") -> Framework:
    """The framework of a folder, or a version of it; UsageError for what reads like none."""
    if version and not environments.VERSION.fullmatch(version):
        typed = f"{folder.name}@{version.lstrip('@')}"
        raise UsageError(f"{typed}: a version reads like 0.21 or 0.21.1, with that of another package 0.20+jax@0.8")
    file, constants, broken = folder / "__init__.py", dict[str, Any](), ""
    try:
        constants = dict(source.read(file).constants) if file.exists() else {}
        _families(folder)
    except UsageError as error:
        broken = str(error)
    packages = constants.get("PACKAGES", ("numpy",))
    return Framework(
        folder=folder,
        packages=dict(packages) if isinstance(packages, dict) else {name: name for name in packages},
        extra=constants.get("EXTRA", ""),
        dtype=constants.get("DTYPE", "float64"),
        own=tuple(constants.get("OWN", (folder.name,))),
        forkable=constants.get("FORKABLE", True),
        python=constants.get("PYTHON", ""),
        version=version,
        broken=broken,
    )


def frameworks() -> dict[str, Framework]:
    """Every framework that has a backend, by name."""
    return {name.partition(".")[0]: framework(file.parent) for name, file in backend_files().items()}


def named(name: str) -> Framework:
    """A framework, or a version of one as in `numpyro@0.21`; UsageError where there is none."""
    known, (module, at, version) = frameworks(), name.partition("@")
    if module not in known:
        raise unknown("framework", module, known)
    return framework(known[module].folder, version or at)


def versions() -> dict[str, str]:
    """`Framework.versions` of all frameworks, and of their versions that have an environment."""
    bases = [(one.folder, v) for one in frameworks().values() for v in ("", *environments.versions(one.name))]
    return {name: version for base in bases for name, version in framework(*base).versions.items()}


def versions_of(distributions: Iterable[str]) -> dict[str, str]:
    """{distribution: version} of those that are installed."""
    return {name: version for name in distributions if (version := version_of(name))}


@cache
def version_of(distribution: str) -> str:
    """The version that is installed; empty where none is."""
    import importlib.metadata  # here: `bench list` does without

    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def sources(folder: Path) -> list[Path]:
    """The files that backends of a folder share with others: of the folder, beside it, and in `_shared`."""
    shared = (parent / "_shared" for parent in (folder.parent, root() / "backends"))
    own = (file for ending in ("py", "cpp") for file in folder.rglob(f"*.{ending}"))
    files = {*own, *folder.parent.glob("*.py"), *(file for at in shared for file in at.glob("*.py"))}
    return sorted(file for file in files if not file.is_dir())


@cache
def shared_digest(folder: Path) -> str:
    """Hash of the sources behind the backends of a folder that are no backends themselves."""
    methods = set(backend_files().values())
    return sha256(b"".join(contents(file) for file in sources(folder) if file not in methods))


def sha256(content: bytes) -> str:
    """SHA-256 in hex."""
    import hashlib  # here: `bench list` does without

    return hashlib.sha256(content).hexdigest()


def contents(file: Path) -> bytes:
    """The bytes of a source; UsageError where it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: not readable, and part of its framework: {error.strerror}") from None


@cache
def _families(folder: Path) -> tuple[str, ...]:
    file = _models(folder)
    return source.read(file).models if file.exists() else ()


def _models(folder: Path) -> Path:
    """Where its table `MODELS` stands: its `models.py`, or the file of `_shared` that this takes it from."""
    file = folder / "models.py"
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    taken = re.search(r"^from backends\._shared\.(\w+) import .*\bMODELS\b", text, re.MULTILINE)
    return root() / "backends" / "_shared" / f"{taken[1]}.py" if taken else file


@cache
def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):  # of a name with dots the outer package is missing, or is no package
        return False


def forget() -> None:
    """Read all folders again, after files there have changed."""
    for read in (scanned, framework, shared_digest, version_of, _families, _installed, environments.environment):
        read.cache_clear()

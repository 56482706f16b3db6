"""Where the three packages lie, and that they belong together."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from bench.errors import UsageError


@cache
def root() -> Path:
    """The folder that holds `bench`, `backends` and `scenarios`; UsageError if they are not neighbours."""
    here = Path(__file__).resolve().parents[2]
    for package in ("backends", "scenarios"):
        spec = importlib.util.find_spec(package)
        place = Path(next(iter(spec.submodule_search_locations or [""]))).resolve() if spec else None
        if place != here / package:
            raise UsageError(
                f"package {package!r} is {place or 'missing'}, but bench lies in {here}: another package on the path "
                "has the same name; run from the project's folder or remove the other one"
            )
    return here


@cache
def _offered(package: str, path: tuple[str, ...]) -> tuple[tuple[Path, str], ...]:
    """(folder, distribution) of the packages that installed distributions offer; UsageError for one that is not there.

    An entry point of the group `posterior_bench.backends` or `posterior_bench.scenarios` names a package, whose folder
    is looked through as the own one is. The package itself is not imported; `path` is what it was looked for on.
    """
    found = []
    for offer in importlib.metadata.entry_points(group=f"posterior_bench.{package}"):
        owner = offer.dist.name if offer.dist is not None else "an installed package"
        try:
            spec = importlib.util.find_spec(offer.value)
            places = list(spec.submodule_search_locations or []) if spec else []
        except Exception:  # noqa: BLE001 -- a parent package is imported, and may raise anything
            places = []
        if not places or not Path(places[0]).is_dir():
            raise UsageError(f"{owner} offers {package} in the package {offer.value}, which cannot be found; repair it")
        found.append((Path(places[0]).resolve(), owner))
    return tuple(found)


def code_of(model: Path) -> list[Path]:
    """The files of a user's model that say its density, in whatever language."""
    return sorted([*model.glob("*.py"), *model.glob("*.stan")])


def owner(file: Path) -> str:
    """The distribution that offers a scenario or backend; its folder where the user named that; empty for our own."""
    offered = [*_offered("backends", tuple(sys.path)), *_offered("scenarios", tuple(sys.path))]
    place = file.resolve()
    if place.is_relative_to(root()):
        return ""
    return next((name for folder, name in offered if place.is_relative_to(folder)), str(file.parent))


def _folders(package: str, variable: str) -> list[Path]:
    """The package's own folder, those that distributions offer, then those that the user names in an environment
    variable, separated as in PATH.
    """
    more = [folder for folder, _ in _offered(package, tuple(sys.path))]
    for named in filter(None, os.environ.get(variable, "").split(os.pathsep)):
        try:
            more.append(Path(named).resolve())
            list(more[-1].iterdir())
        except (OSError, RuntimeError) as error:  # of a circle of links
            why = getattr(error, "strerror", None) or error
            raise UsageError(f"{variable} names {named}, which is not a folder that can be read: {why}") from None
    return list(dict.fromkeys([root() / package, *more]))


def scenario_folders() -> list[Path]:
    """Where scenario files lie; `BENCH_SCENARIOS` adds a user's own."""
    return _folders("scenarios", "BENCH_SCENARIOS")


def backend_folders() -> list[Path]:
    """Where frameworks' folders lie; `BENCH_BACKENDS` adds a user's own."""
    return _folders("backends", "BENCH_BACKENDS")


def cache_folder() -> Path:
    """Where what is dear to compute is kept: `BENCH_CACHE`, else in the user's cache folder; it may not exist yet."""
    chosen = os.environ.get("BENCH_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "posterior-bench"


MODEL = "model.toml"
"""The scenario file of a folder that holds a model of the user's own; the scenario has the folder's name."""


def name_of(file: Path) -> str:
    """The name of the scenario in a file."""
    return file.parent.name if file.name == MODEL else file.stem


def scenario_files() -> dict[str, Path]:
    """{name: TOML file}, sorted by name."""
    own = [(name_of(file), file) for folder in scenario_folders()[1:] for file in sorted(folder.glob(f"*/{MODEL}"))]
    return _unique([*_stems(scenario_folders()), *own])


def kept_files(folder: Path) -> dict[str, Path]:
    """{name: TOML file} of the scenarios that a folder brings along, as `scenarios/<name>/<name>.toml` with their data.

    That of a run has those whose user named them by their path. Those with a symbolic link among their files are left
    out: it is not followed.
    """
    place = folder / "scenarios"
    plain = (one for one in sorted(place.glob("*/")) if not any(map(Path.is_symlink, (place, one, *one.rglob("*")))))
    return {one.name: one / (MODEL if (one / MODEL).is_file() else f"{one.name}.toml") for one in plain}


def suite_files() -> dict[str, Path]:
    """{name: TOML file}, sorted by name."""
    return _by_stem(folder / "suites" for folder in scenario_folders())


def backend_files() -> Mapping[str, Path]:
    """{framework.method: Python file}: the files of a framework's folder that declare a `KIND`, or cannot be read.

    UsageError where two have the same name: neither hides the other. Each folder is looked through once per process;
    `scanned.cache_clear()` has it done again.
    """
    return scanned(tuple(backend_folders()))


@cache
def scanned(folders: tuple[Path, ...]) -> Mapping[str, Path]:
    """`backend_files` of these folders."""
    frameworks = [framework for folder in folders for framework in folder.iterdir() if framework.name[0] != "_"]
    files = [file for framework in frameworks for file in _files(framework, ".py") if file.name[0] != "_"]
    return _unique((f"{file.parent.name}.{file.stem}", file) for file in files if _may_be_backend(file))


def _by_stem(folders: Iterable[Path]) -> dict[str, Path]:
    return _unique(_stems(folders))


def _stems(folders: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    return ((file.stem, file) for folder in folders for file in _files(folder, ".toml"))


def _files(folder: Path, suffix: str) -> list[Path]:
    """What may be a file of that kind in a folder: everything but folders."""
    if not folder.is_dir():
        return []
    return [file for file in folder.iterdir() if file.name.endswith(suffix) and not file.is_dir()]


def _unique(named: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """{name: file} in the order of names; UsageError where two files have the same name."""
    files: dict[str, Path] = {}
    for name, file in sorted(named):
        if name in files:
            raise UsageError(f"{file} and {files[name]} have the same name; rename one")
        files[name] = file
    return files


def _may_be_backend(file: Path) -> bool:
    """Whether it declares a KIND; one that cannot be read is said to, so that whoever names it learns what is wrong."""
    try:
        return re.search(rb"^KIND\b", file.read_bytes(), re.MULTILINE) is not None
    except OSError:
        return True

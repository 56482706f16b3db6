"""Where the three packages lie, and that they belong together."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from bench import offered
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


def owner(file: Path) -> str:
    """The distribution that offers a scenario, backend or family; its folder where the user named that; empty for our
    own.
    """
    place = file.resolve()
    return "" if place.is_relative_to(root()) else offered.distribution(place) or str(file.parent)


def scenario_folders() -> list[Path]:
    """Where scenario files lie; `bench init` and `BENCH_SCENARIOS` add a user's own."""
    return [root() / "scenarios", *offered.added("scenarios")]


def backend_folders() -> list[Path]:
    """Where frameworks' folders lie; `bench init` and `BENCH_BACKENDS` add a user's own."""
    return [root() / "backends", *offered.added("backends")]


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
    return _unique(_stems(folder / "suites" for folder in scenario_folders()))


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


def unversioned(name: str) -> tuple[str, str]:
    """A backend's own name and the version of its framework: `numpyro@0.21.nuts` → `numpyro.nuts`, `0.21`."""
    framework, _, rest = name.partition("@")
    version, _, method = rest.rpartition(".")
    return (f"{framework}.{method}", version) if version else (name, "")


def is_backend(name: str) -> bool:
    """Whether there is a backend of that name, which may say a version of its framework."""
    return unversioned(name)[0] in backend_files()


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

"""Where the three packages lie, and that they belong together."""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path

from bench.errors import UsageError


@cache
def root() -> Path:
    """The folder that holds `bench`, `backends` and `scenarios`; UsageError if they are not neighbours."""
    here = Path(__file__).resolve().parents[2]
    for package in ("backends", "scenarios"):
        spec = importlib.util.find_spec(package)
        found = Path(next(iter(spec.submodule_search_locations or [""]))).resolve() if spec else None
        if found != here / package:
            raise UsageError(
                f"package {package!r} is {found or 'missing'}, but bench lies in {here}: another package on the path "
                "has the same name; run from the project's folder or remove the other one"
            )
    return here


def _folders(package: str, variable: str) -> list[Path]:
    """The package's own folder, then those the user names in an environment variable, separated as in PATH."""
    more = [Path(p).resolve() for p in os.environ.get(variable, "").split(os.pathsep) if p]
    for folder in more:
        if not folder.is_dir():
            raise UsageError(f"{variable} names {folder}, which is not a folder")
    return [root() / package, *more]


def scenario_folders() -> list[Path]:
    """Where scenario files lie; `BENCH_SCENARIOS` adds a user's own."""
    return _folders("scenarios", "BENCH_SCENARIOS")


def backend_folders() -> list[Path]:
    """Where frameworks' folders lie; `BENCH_BACKENDS` adds a user's own."""
    return _folders("backends", "BENCH_BACKENDS")


def scenario_files() -> dict[str, Path]:
    """{name: TOML file}, sorted by name."""
    return dict(sorted((f.stem, f) for folder in scenario_folders() for f in folder.glob("*.toml")))


def suite_files() -> dict[str, Path]:
    """{name: TOML file}, sorted by name."""
    return dict(sorted((f.stem, f) for folder in scenario_folders() for f in folder.glob("suites/*.toml")))


def backend_files() -> dict[str, Path]:
    """{framework.method: Python file}: the files of a framework's folder that declare a `KIND`."""
    found = {}
    for file in sorted(f for folder in backend_folders() for f in folder.glob("*/*.py")):
        if not file.name.startswith("_") and any(line.startswith("KIND") for line in file.read_text().splitlines()):
            found[f"{file.parent.name}.{file.stem}"] = file
    return dict(sorted(found.items()))

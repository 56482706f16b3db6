"""What differs between two runs besides the numbers: machine, threads, code, versions, data."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bench.analysis.tables import CellTables
from bench.store.manifest import Host, Run

MACHINE = ("cpu", "cores", "logical_cpus", "usable_cpus", "governor", "gpu", "gpus")
SCORING = ("pandas", "pyarrow", "xarray", "arviz", "arviz-stats")
"""Packages that no fit can see."""
SAME_MEMORY = 0.05
"""A virtual machine's memory varies by less than this from one start to the next."""


def machine(a: Run, b: Run) -> list[str]:
    """`cores: 2 → 8` for every fact about the host that differs between two manifests; empty for one machine."""
    hosts = a.host, b.host
    if Host() in hosts:
        return ["host: not recorded"]
    pairs = {key: (getattr(a.host, key), getattr(b.host, key)) for key in MACHINE}
    found = [
        f"{key}: {first or 'unknown'} → {second or 'unknown'}"
        for key, (first, second) in pairs.items()
        # What a run of an older version did not record is no evidence of another machine; the model always is there.
        if first != second and (key == "cpu" or (first and second))
    ]
    sizes = [float(host.memory_bytes or 0) for host in hosts]
    if all(sizes) and abs(sizes[0] - sizes[1]) > SAME_MEMORY * max(sizes):
        found.append(f"memory: {sizes[0] / 2**30:.1f} → {sizes[1] / 2**30:.1f} GiB")
    systems = [host.system.partition(" ")[0] for host in hosts]
    return found + ([f"system: {systems[0]} → {systems[1]}"] if systems[0] != systems[1] else [])


def versions(a: Run, b: Run) -> dict[str, str]:
    """{package: `0.21 → 0.22`} of what a fit can see; `python` is the interpreter."""
    first, second = ({**run.versions, "python": run.host.python} for run in (a, b))
    return {
        name: f"{first.get(name) or 'none'} → {second.get(name) or 'none'}"
        for name in sorted({*first, *second} - {*SCORING})
        if first.get(name) != second.get(name)
    }


def harness(a: Run, b: Run) -> list[str]:
    """Commit and version of the harness where they differ, and uncommitted changes."""
    found = [
        f"{key} {(first or 'unknown')[:12]} → {(second or 'unknown')[:12]}"
        for key, first, second in (("bench", a.bench, b.bench), ("commit", a.commit, b.commit))
        if first != second
    ]
    dirty = [name for name, run in (("A", a), ("B", b)) if run.dirty]
    return found + ([f"uncommitted changes in {' and '.join(dirty)}"] if dirty else [])


def threads(a: CellTables, b: CellTables) -> str:
    """`1 → 2` where the CPUs in force differ; empty where they do not."""
    first, second = (_set(cell.fits, "threads") for cell in (a, b))
    return f"{_listed(first)} → {_listed(second)}" if first and second and first != second else ""


def code(a: CellTables, b: CellTables, packages: Mapping[str, str]) -> tuple[str, ...]:
    """What of a cell's code differs: `backend`, `scenario`, or a package with its versions."""
    found = [
        name
        for name in ("backend", "scenario")
        if (first := _set(a.fits, f"{name}_digest")) != (second := _set(b.fits, f"{name}_digest")) and first and second
    ]
    return (*found, *(f"{name} {change}" for name, change in packages.items()))


def data(a: CellTables, b: CellTables) -> str:
    """Why the two runs did not fit the same problem; empty where they did.

    The same data seed (or fixed data) must give the same digest. Runs that share no data seed drew other data from
    the same scenario, unless its digest says otherwise.
    """
    first, second = (_data_made(cell.fits) for cell in (a, b))
    shared = first.merge(second, on="data_seed")
    if len(shared):
        return "" if (shared["data_digest_x"] == shared["data_digest_y"]).all() else "the data are others"
    same = _set(a.fits, "scenario_digest") == _set(b.fits, "scenario_digest")
    return "" if same else "the scenario is another, and no data are shared"


def _data_made(fits: pd.DataFrame) -> pd.DataFrame:
    """Every (data_seed, data_digest) of a cell; a fit that made no data has no digest."""
    made = fits.reindex(columns=["data_seed", "data_digest"]).astype({"data_seed": "Int64", "data_digest": "string"})
    return made[made["data_digest"].fillna("") != ""].drop_duplicates()


def _set(fits: pd.DataFrame, column: str) -> set[str]:
    return {str(v) for v in fits[column].dropna()} - {""} if column in fits else set()


def _listed(found: set[str]) -> str:
    return "/".join(sorted(found))


def concerning(changed: Mapping[str, str], needed: tuple[str, ...] | None) -> dict[str, str]:
    """Those version changes that a backend that needs these packages can feel; all of them where that is not known."""
    if needed is None:
        return dict(changed)
    return {p: c for p, c in changed.items() if p in COMMON or p in needed}


COMMON = ("python", "numpy", "scipy")

"""What differs between two runs besides the numbers: machine, threads, code, versions, data."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bench.analysis.tables import CellTables
from bench.store.manifest import Host, Run

MACHINE = ("cpu", "cores", "logical_cpus", "usable_cpus", "gpu")
SCORING = ("pandas", "pyarrow", "xarray", "arviz", "arviz-stats")
"""Packages that no fit can see."""
COMMON = ("python", "numpy", "scipy")
"""Packages that every fit can feel."""
SAME_MEMORY = 0.05
"""A virtual machine's memory varies by less than this from one start to the next."""


def machine(a: Run, b: Run) -> list[str]:
    """`cores: 2 → 8` for every fact about the host that differs between two manifests; empty for one machine.

    Of runs in slots the machines that these were on are told by their names.
    """
    if a.hosts or b.hosts:
        names = [", ".join(sorted(run.hosts)) or "not in slots" for run in (a, b)]
        return [f"machines: {names[0]} → {names[1]}"] if names[0] != names[1] else []
    hosts = a.host, b.host
    if Host() in hosts:
        return ["host: not recorded"]
    pairs = {key: (getattr(a.host, key), getattr(b.host, key)) for key in MACHINE}
    facts = [
        f"{key}: {first or 'unknown'} → {second or 'unknown'}"
        for key, (first, second) in pairs.items()
        # What a run of an older version did not record is no evidence of another machine; the model always is there.
        if first != second and (key == "cpu" or (first and second))
    ]
    sizes = [float(host.memory_bytes or 0) for host in hosts]
    if all(sizes) and abs(sizes[0] - sizes[1]) > SAME_MEMORY * max(sizes):
        facts.append(f"memory: {sizes[0] / 2**30:.1f} → {sizes[1] / 2**30:.1f} GiB")
    systems = [host.system.partition(" ")[0] for host in hosts]
    return facts + ([f"system: {systems[0]} → {systems[1]}"] if systems[0] != systems[1] else [])


def versions(a: Run, b: Run) -> dict[str, str]:
    """{package: `0.21 → 0.22`} of what a fit can see; `python` is the interpreter."""
    first, second = installed(a), installed(b)
    return {
        name: f"{first.get(name) or 'none'} → {second.get(name) or 'none'}"
        for name in sorted({*first, *second})
        if first.get(name) != second.get(name)
    }


def installed(run: Run) -> dict[str, str]:
    """{package: version} of what a fit can see; `python` is the interpreter."""
    return {k: v for k, v in run.versions.items() if k not in SCORING} | {"python": run.host.python}


def harness(a: Run, b: Run) -> list[str]:
    """Commit and version of the harness where they differ, and uncommitted changes."""
    facts = [
        f"{key} {(first or 'unknown')[:12]} → {(second or 'unknown')[:12]}"
        for key, first, second in (("bench", a.bench, b.bench), ("commit", a.commit, b.commit))
        if first != second
    ]
    dirty = [name for name, run in (("A", a), ("B", b)) if run.dirty]
    return facts + ([f"uncommitted changes in {' and '.join(dirty)}"] if dirty else [])


def threads(a: CellTables, b: CellTables) -> str:
    """`1 → 2` where the CPUs in force differ; empty where they do not."""
    first, second = a.texts("threads"), b.texts("threads")
    return f"{first} → {second}" if first and second and first != second else ""


def code(a: CellTables, b: CellTables, packages: Mapping[str, str]) -> tuple[str, ...]:
    """What of a cell's code differs: `backend`, `scenario`, or a package with its versions."""
    digests = {name: (a.texts(f"{name}_digest"), b.texts(f"{name}_digest")) for name in ("backend", "scenario")}
    sources = [name for name, (first, second) in digests.items() if first and second and first != second]
    return (*sources, *(f"{name} {change}" for name, change in packages.items()))


def data(a: CellTables, b: CellTables) -> str:
    """Why the two runs did not fit the same problem; empty where they did.

    The same data seed (or fixed data) must give the same digest. Runs that share no data seed drew other data from
    the same scenario, unless its digest says otherwise.
    """
    first, second = (drawn(cell.fits) for cell in (a, b))
    if shared := first.keys() & second.keys():
        return "" if all(len(first[seed] | second[seed]) == 1 for seed in shared) else "the data are others"
    same = a.texts("scenario_digest") == b.texts("scenario_digest")
    return "" if same else "the scenario is another, and no data are shared"


def drawn(fits: pd.DataFrame) -> dict[int | None, set[str]]:
    """{data seed: digests of the data that a cell made of it}, None for fixed data; not of fits that made no data."""
    drawn: dict[int | None, set[str]] = {}
    for seed, digest in fits.reindex(columns=["data_seed", "data_digest"]).itertuples(index=False, name=None):
        if not pd.isna(digest) and digest != "":
            drawn.setdefault(None if pd.isna(seed) else int(seed), set()).add(str(digest))
    return drawn


def concerning(changed: Mapping[str, str], needed: tuple[str, ...] | None) -> dict[str, str]:
    """Those version changes that a backend that needs these packages can feel; all of them where that is not known."""
    if needed is None:
        return dict(changed)
    return {p: c for p, c in changed.items() if p in COMMON or p in needed}

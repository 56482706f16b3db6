"""Are two machines alike enough for one run? Their hardware as facts; their code and data, which must be the same."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from bench.catalog.backends import backend
from bench.catalog.frameworks import sha256, versions_of
from bench.catalog.places import root
from bench.catalog.scenarios import scenario
from bench.data import dataset
from bench.errors import UsageError
from bench.measure import host
from bench.plan import Plan

NAME = "BENCH_HOST"
"""A variable that names a machine whose own name changes, as that of a container does."""


def machine() -> dict[str, Any]:
    """The facts of `bench.measure.host`, and `host`: a hash of the machine's name, so that no run publishes it."""
    facts = host.facts()
    named = os.environ.get(NAME) or platform.node()
    digest = sha256(f"{named}|{facts['machine']}".encode())
    return {"facts": facts, "host": f"host-{digest[:6]}"}


def cores() -> dict[int, str]:
    """{CPU: the core that it is a thread of}, where the system tells."""
    places = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/thread_siblings_list")
    return {int(file.parts[-3].removeprefix("cpu")): file.read_text(encoding="utf-8").strip() for file in places}


@cache
def gpus() -> list[str]:
    """NVIDIA devices, as CUDA_VISIBLE_DEVICES names them: those that it does name, else all there are.

    Of a device that is divided (MIG) each part is one.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:  # what comes after a device that cannot be is not seen
        return [name for name in takewhile(lambda name: name != "-1", map(str.strip, visible.split(","))) if name]
    devices: list[list[str]] = []
    for line in host.nvidia("--list-gpus"):
        if line.startswith("GPU "):
            devices.append([])
        elif devices and (part := re.search(r"\(UUID: (MIG-[^)]+)\)", line)):
            devices[-1].append(part[1])
    return [name for number, parts in enumerate(devices) for name in parts or [str(number)]]


def code(backends: Iterable[str]) -> dict[str, str]:
    """Versions and digests of everything that a fit of these backends runs."""
    found = {"Python": platform.python_version(), "posterior-bench": harness(), "architecture": platform.machine()}
    found |= versions_of(("numpy", "scipy"))
    for name in backends:
        with contextlib.suppress(UsageError):
            found |= backend(name).home.versions | {f"backend {name}": backend(name).digest[:12]}
    return found


@cache
def harness() -> str:
    """Hash of the sources of the harness and its scenarios."""
    files = [f for part in ("bench", "scenarios") for f in (root() / part).rglob("*") if f.suffix in {".py", ".toml"}]
    texts = (f.relative_to(root()).as_posix().encode() + b"\0" + f.read_bytes() for f in sorted(files))
    return sha256(b"\0".join(texts))[:12]


def differences(there: Mapping[str, str], here: Mapping[str, str]) -> Iterator[str]:
    """What is not the same in two accounts of `code`, each as a sentence."""
    for name in sorted({*there, *here}):
        if there.get(name) != here.get(name):
            yield f"{name} is {there.get(name, 'absent')}, here {here.get(name, 'absent')}"


class Asked(NamedTuple):
    """A data set that two machines are to make: the scenario with its overrides, as `bench.catalog` takes them."""

    name: str
    overrides: tuple[tuple[str, Any], ...]
    seed: int


def asked(plan: Plan) -> list[Asked]:
    """The first data set of every scenario of a plan."""
    cells = {p.cell.scenario_label: p.cell for p in plan.cells}
    return [Asked(cell.scenario, cell.overrides, plan.seed) for cell in cells.values()]


def digests(wanted: Iterable[Asked], along: Path) -> list[str]:
    """Their digests; what cannot be made has an error in its place."""
    found = []
    for name, overrides, seed in wanted:
        try:
            found.append(dataset(scenario(name, dict(overrides), along), seed=seed, rep=0).digest)
        except Exception as error:  # noqa: BLE001 -- a family may raise anything; what matters is whether both do
            found.append(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
    return found

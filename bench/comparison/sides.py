"""What is compared: a side is a checkout of the code, a plan and a run folder."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.catalog.places import backend_files, is_backend, root
from bench.errors import UsageError, unknown
from bench.plan import Choice, Plan, make
from bench.selection import parse
from bench.store.folder import RunFolder
from bench.words import program

HERE = "."
"""The working tree as it is, uncommitted changes included."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a side's children take their code: `code` None is this process's own; `commit` where it is a revision."""

    label: str
    code: Path | None = None
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: cells of `plan` in the order of the other side's; `refused` {cell id: why it is not timed}."""

    source: Source
    plan: Plan
    folder: RunFolder
    refused: Mapping[str, str] = field(default_factory=dict)


def are_contenders(names: Sequence[str]) -> bool:
    """Whether both names mean backends (else they are revisions); UsageError where only one does."""
    known = [is_backend(parse(name).name) for name in names]
    if known[0] != known[1]:
        odd = names[known.index(False)]
        raise UsageError(f"{unknown('backend', parse(odd).name, backend_files())}; the other name is one")
    return known[0]


def plans(names: Sequence[str], choice: Choice) -> tuple[Plan, Plan]:
    """A plan per side whose cells pair up one by one; UsageError where they cannot."""
    if not are_contenders(names):
        plan = make(choice)
        return plan, plan
    first, second = (make(replace(choice, backends=(name,))) for name in names)
    by_scenario = [[p.cell.scenario_label for p in plan.cells] for plan in (first, second)]
    if by_scenario[0] != by_scenario[1]:
        raise UsageError(f"{names[0]} and {names[1]} do not pair up: each must be one contender per scenario")
    if any(a.cell.id == b.cell.id for a, b in zip(first.cells, second.cells, strict=True)):
        raise UsageError(
            f"{names[0]} and {names[1]} are the same contender; for its noise, see `{program.command('doctor')}`"
        )
    return first, second


def checkout(revision: str, into: Path) -> Source:
    """A revision of this project's repository, written below `into`; UsageError where there is no such thing."""
    if revision == HERE:
        return Source("the working tree")
    name = revision if revision.endswith("^{commit}") else f"{revision}^{{commit}}"
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", name).decode().strip()
    if not commit:
        raise UsageError(f"{revision!r} is neither a backend nor a revision of {root()}; `.` is the working tree")
    place = into / commit
    if not place.is_dir():
        with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", commit))) as archive:
            archive.extractall(place, filter="data")
    if not (place / "bench" / "measure" / "worker.py").is_file():
        raise UsageError(f"revision {revision} has no bench/measure/worker.py: it is older than what can be measured")
    return Source(f"{revision} ({commit[:10]})", place, commit)


def _git(*args: str) -> bytes:
    """What git says; empty where it fails."""
    try:
        done = subprocess.run(["git", "-C", str(root()), *args], capture_output=True, check=False)  # noqa: S607
    except OSError as error:
        raise UsageError(f"git is needed to compare revisions: {error}") from None
    return done.stdout if done.returncode == 0 else b""

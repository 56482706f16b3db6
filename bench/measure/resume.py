"""A run that goes on: its plan from its manifest, the jobs that are missing, and what has changed since it began."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from bench.catalog.backends import backend
from bench.catalog.scenarios import scenario
from bench.cell import Cell, cell_of
from bench.errors import UsageError
from bench.measure import host
from bench.measure.environment import default_threads
from bench.plan import Job, Plan, Planned
from bench.store.files import plain
from bench.store.folder import RunFolder
from bench.store.manifest import CellEntry, Host, Resumed, Run
from bench.store.records import now

RETRY: Mapping[str, frozenset[str]] = {
    "failed": frozenset({"failed", "crashed", "invalid", "memory"}),
    "timeout": frozenset({"timeout"}),
    "all": frozenset({"failed", "crashed", "invalid", "memory", "timeout", "unsupported", "unavailable"}),
}
"""What `--retry` makes again, besides what is missing."""


SIGNATURES = {"draws.npz": b"PK", "draws.nc": b"\x89HDF"}
"""Files of draws, as the worker and the scorer write them, and the bytes that each begins with."""


def plan_of(run: Run, where: Path) -> Plan:
    """The plan of a run as it was made, whatever its globs would mean now; UsageError where it cannot be any more."""
    return Plan(tuple(_planned(entry, where) for entry in run.cells), run.seed)


def _planned(entry: CellEntry, where: Path) -> Planned:
    try:
        cell = cell_of({f.name: getattr(entry, f.name) for f in fields(Cell)})
        if cell.id != entry.id:
            raise ValueError(f"it describes cell {cell.id}")
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}/run.json: cell {entry.id} is damaged: {error}") from None
    try:
        return Planned(
            cell=cell,
            scenario=scenario(cell.scenario, dict(cell.overrides), where),
            backend=backend(cell.backend),
            reps=entry.reps,
            rounds=entry.rounds,
            explicit=entry.explicit,
        )
    except UsageError as error:
        raise UsageError(f"{where} cannot go on, for a cell of it cannot be made any more: {error}") from None


def missing(folder: RunFolder, plan: Plan, retry: str | None = None) -> list[Job]:
    """The jobs to make, in the plan's order: every round of a cell that lacks a fit, or has one to be made again.

    A round is one child whose first rep compiles and whose others are warm because of it. So what is left of a round
    that was broken off is no measurement of its missing reps: the whole round is made again.
    """
    again = RETRY[retry] if retry else frozenset()
    return [job for job in plan.jobs() if not _complete(folder, job, again)]


def _complete(folder: RunFolder, job: Job, again: frozenset[str]) -> bool:
    cell = job.planned.cell.id
    records = [folder.record(cell, rep) for rep in job.reps]
    for record in records:
        if record is None or record.status == "interrupted" or record.status in again:
            return False
        if record.status == "ok" and not _readable(folder, cell, record.rep):
            return False
    return len({record.child for record in records if record is not None}) == 1


def _readable(folder: RunFolder, cell: str, rep: int) -> bool:
    """Whether the draws of a fit are there and open; what is in them `bench check` looks at."""
    files = [folder.fit(cell, rep) / name for name in SIGNATURES]
    file = next((file for file in files if os.path.lexists(file)), files[-1])
    try:
        why = _complaint(plain(file), SIGNATURES[file.name]) if os.path.lexists(file) else "not there"
    except (OSError, ValueError) as error:
        why = str(error)
    if why:
        folder.spoil(cell, rep, file.name, why)
    return not why


def _complaint(file: Path, signature: bytes) -> str:
    """Why a file of draws cannot be opened, as far as its first bytes and its length tell; empty when it can."""
    import zipfile

    with file.open("rb") as stream:
        if stream.read(len(signature)) != signature:
            return "not a file of draws"
    if signature == b"PK":
        return "" if zipfile.is_zipfile(file) else "cut short"
    import h5py  # here: a machine that only fits need not have it

    try:
        h5py.File(file, "r").close()
    except (OSError, RuntimeError) as error:
        return " ".join(str(error).split())[:200]
    return ""


def changes(run: Run, jobs: Sequence[Job], *, in_slots: bool = False) -> list[str]:
    """What has changed since the run began that could change these fits, each as a sentence; empty when nothing has.

    Fits `in_slots` may be made on any machine, for each says on which it was.
    """
    if not jobs:
        return []
    digests = {entry.id: (entry.scenario_digest, entry.backend_digest) for entry in run.cells}
    cells = {job.planned.cell.id: job.planned for job in jobs}
    changed = [line for planned in cells.values() for line in sources(planned, *digests[planned.cell.id])]
    return list(dict.fromkeys([*changed, *_versions(run, cells.values()), *_machine(run, jobs, in_slots=in_slots)]))


def sources(planned: Planned, scenario: str, backend: str) -> Iterator[str]:
    """Which sources behind a cell no longer have these digests, each as a sentence."""
    cell = planned.cell
    for what, name, was, digest in (
        ("scenario", cell.scenario, scenario or "unknown", planned.scenario.digest),
        ("backend", cell.backend, backend or "unknown", planned.backend.digest),
    ):
        if was != digest:
            yield f"the source of {what} {name} has changed (digest {was}, now {digest})"


def _versions(run: Run, cells: Any) -> Iterator[str]:
    """NumPy, SciPy, the interpreter, and what the backends of these cells import."""
    needed = {package for planned in cells for package in planned.backend.home.versions}
    for package, sentence in versions(run).items():
        if package in {"numpy", "scipy"} or package in needed:
            yield sentence
    python = host.facts()["python"]
    if run.host.python != python:
        yield f"Python was {run.host.python or 'another'} and is {python}"


def versions(run: Run) -> dict[str, str]:
    """{package: in which version the run had it, and in which it is here}, where these differ."""
    was, now = run.versions, host.versions()
    pairs = {package: (was.get(package, "absent"), now.get(package, "absent")) for package in sorted({*was, *now})}
    return {package: f"{package} was {a} and is {b}" for package, (a, b) in pairs.items() if a != b}


def _machine(run: Run, jobs: Sequence[Job], *, in_slots: bool) -> Iterator[str]:
    some = len(jobs) < sum(entry.rounds for entry in run.cells)  # slots are booked right before the first fit
    if some and in_slots != bool(run.hosts):
        yield "fits were made in slots" if run.hosts else "fits were not made in slots"
    if in_slots:
        return
    was, now = run.host, Host(**host.facts())
    if was.machine != now.machine:
        yield f"the machine was {_words(was)} and is {_words(now)}"
    elif any(job.planned.cell.threads is None for job in jobs) and run.threads != default_threads():
        yield f"children had {run.threads} CPUs and would have {default_threads()}"


def _words(machine: Host) -> str:
    return f"{machine.cpu or None}, {machine.cores} cores, {(machine.memory_bytes or 0) / 2**30:.1f} GiB"


def note(run: Run, jobs: Sequence[Job], reasons: Sequence[str], command: str) -> None:
    """Book in the manifest that the run goes on, with what had changed."""
    run.state = "running"
    run.resumed.append(
        Resumed(
            at=now(),
            command=command,
            fits=sum(len(job.reps) for job in jobs),
            changes=list(reasons),
        )
    )

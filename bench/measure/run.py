"""Run a plan: one child after the other, every planned rep ending as a record."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from bench.measure import interrupts
from bench.measure.executor import Executor, Needs, needs_of
from bench.measure.job import Limits, new_child, one, record_missing, refusal
from bench.plan import Job, Plan, Planned
from bench.store.folder import RunFolder
from bench.store.records import Record

Gate = Callable[[], Mapping[str, str]]


class Watcher(Protocol):
    """Who wants to see a run go by (the CLI's progress display)."""

    def imports(self, framework: str) -> None:
        """A framework is being imported, before the first fit; called many times a second."""

    def starts(self, job: Job) -> None:
        """A child is about to start."""

    def waits(self) -> None:
        """Called a few times a second while it runs."""

    def ends(self, job: Job, records: list[Record]) -> None:
        """It has ended; one record per rep."""


def execute(
    plan: Plan,
    folder: RunFolder,
    limits: Limits,
    watcher: Watcher,
    executor: Executor,
    gate: Gate = dict,
    jobs: Sequence[Job] | None = None,
) -> bool:
    """Run every job, or those given; False when interrupted (Ctrl-C): what was not made has no record.

    `gate` is asked once, when every framework has been imported, which cells must not be timed: {cell id: reason};
    their reps are `invalid`. StorageError, or the OSError itself, where results can no longer be written.
    """
    jobs = list(plan.jobs()) if jobs is None else jobs
    try:
        if not limits.fresh:
            executor.prepare(imports_of(job.planned for job in jobs), watcher.imports)
        refused = gate()
        with folder.spares.kept():
            for job in jobs:
                interrupts.check()
                watcher.starts(job)
                if why := refused.get(job.planned.cell.id):
                    records = record_missing(job, folder, "invalid", why, child=new_child())
                else:
                    records = one(job, plan, folder, limits, executor, watcher.waits)
                watcher.ends(job, records)
    except KeyboardInterrupt:
        return False
    shutil.rmtree(folder.path / ".compiled", ignore_errors=True)
    return True


def imports_of(cells: Iterable[Planned]) -> dict[Needs, set[str]]:
    """{what an import depends on: modules that the children of these cells import}, where they can run at all."""
    wanted: dict[Needs, set[str]] = {}
    for planned in cells:
        if not any(refusal(planned)):
            wanted.setdefault(needs_of(planned.cell), set()).add(planned.backend.module)
    return wanted

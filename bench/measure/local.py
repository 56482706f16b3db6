"""Run a plan on this machine: one child after the other, every planned rep ending as a record."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from bench.measure import interrupts
from bench.measure.job import Limits, new_child, one, record_missing
from bench.measure.servers import Servers
from bench.plan import Job, Plan
from bench.store.folder import Record, RunFolder

__all__ = ["Limits", "Watcher", "execute"]


Gate = Callable[[Servers], Mapping[str, str]]


def nothing_refused(servers: Servers) -> Mapping[str, str]:
    """The gate that lets every cell be timed."""
    return {}


class Watcher(Protocol):
    """Who wants to see a run go by (the CLI's progress display)."""

    def imports(self, framework: str) -> None:
        """A framework is being imported, before the first fit; called many times a second."""
        ...

    def starts(self, job: Job) -> None:
        """A child is about to start."""
        ...

    def waits(self) -> None:
        """Called a few times a second while it runs."""
        ...

    def ends(self, job: Job, records: list[Record]) -> None:
        """It has ended; one record per rep."""
        ...


def execute(
    plan: Plan,
    folder: RunFolder,
    limits: Limits,
    watcher: Watcher,
    gate: Gate = nothing_refused,
    jobs: Sequence[Job] | None = None,
) -> bool:
    """Run every job, or those given; False when interrupted (Ctrl-C): what was not made has no record.

    `gate` is asked once, when every framework has been imported, which cells must not be timed: {cell id: reason};
    their reps are `invalid`. StorageError, or the OSError itself, where results can no longer be written.
    """
    jobs = list(plan.jobs()) if jobs is None else jobs
    with Servers() as servers:
        try:
            if not limits.fresh:
                able = (j.planned for j in jobs if not j.planned.unsupported() and not j.planned.backend.missing)
                servers.start((p.cell for p in able), watcher.imports)
            refused = gate(servers)
            for job in jobs:
                interrupts.check()
                watcher.starts(job)
                if why := refused.get(job.planned.cell.id):
                    records = record_missing(job, folder, "invalid", why, child=new_child())
                else:
                    records = one(job, plan, folder, limits, servers, watcher.waits)
                watcher.ends(job, records)
        except KeyboardInterrupt:
            return False
    shutil.rmtree(folder.path / ".compiled", ignore_errors=True)
    return True

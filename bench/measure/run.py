"""Run a plan: one child after the other, or one in every slot; every planned rep ends as a record."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence

from bench.measure import blocks, interrupts
from bench.measure.executor import Executor, Needs, Wide, needs_of
from bench.measure.job import Limits, new_child, one, record_missing, refusal
from bench.measure.watchers import Watcher
from bench.plan import Job, Plan, Planned
from bench.store.folder import RunFolder

Gate = Callable[[], Mapping[str, str]]


def execute(
    plan: Plan,
    folder: RunFolder,
    limits: Limits,
    watcher: Watcher,
    executor: Executor,
    gate: Gate = dict,
    jobs: Sequence[Job] | None = None,
    *,
    timed: bool = True,
) -> bool:
    """Run every job, or those given; False when interrupted (Ctrl-C): what was not made has no record.

    `gate` is asked once, when every framework has been imported, which cells must not be timed: {cell id: reason};
    their reps are `invalid`. Where seconds are not `timed`, contenders need not share a slot. StorageError, or the
    OSError itself, where results can no longer be written.
    """
    jobs = list(plan.jobs()) if jobs is None else jobs
    try:
        if not limits.fresh:
            executor.prepare(imports_of(job.planned for job in jobs), watcher.imports)
        refused = gate()
        if isinstance(executor, Wide):
            blocks.Blocks(plan, folder, limits, watcher, refused).run(jobs, executor, timed=timed)
        else:
            _in_turn(jobs, plan, folder, limits, watcher, executor, refused)
    except KeyboardInterrupt:
        return False
    shutil.rmtree(folder.path / ".compiled", ignore_errors=True)
    return True


def _in_turn(
    jobs: Sequence[Job],
    plan: Plan,
    folder: RunFolder,
    limits: Limits,
    watcher: Watcher,
    executor: Executor,
    refused: Mapping[str, str],
) -> None:
    """One child after the other, of which a contender sees the run's folder."""
    with folder.spares.kept():
        for job in jobs:
            interrupts.check()
            watcher.starts(job)
            if why := refused.get(job.planned.cell.id):
                records = record_missing(job, folder, "invalid", why, child=new_child())
            else:
                records = one(job, plan, folder, limits, executor, watcher.waits)
            watcher.ends(job, records)


def imports_of(cells: Iterable[Planned]) -> dict[Needs, set[str]]:
    """{what an import depends on: methods and families that children of these cells import}, where they can run."""
    wanted: dict[Needs, set[str]] = {}
    for planned in cells:
        if not any(refusal(planned)):
            wanted.setdefault(needs_of(planned.cell), set()).update((planned.backend.module, planned.scenario.family))
    return wanted

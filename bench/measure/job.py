"""One job in a child: its request, its limits, and a record for whatever happens."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from bench.disk.durable import STORAGE, described, remove
from bench.errors import StorageError
from bench.measure.executor import End, Request, Submits, needs_of
from bench.plan import Job, Plan, Planned
from bench.store.folder import RunFolder
from bench.store.logs import last_words, tail
from bench.store.records import Record, now


@dataclass(frozen=True, slots=True)
class Limits:
    """Per child: seconds (None: the budget's) and bytes of resident memory (None: 80 % of what is free then).

    `fresh`: every child an interpreter of its own, instead of one forked where its framework is imported already.
    `reuse`: rounds after the first take what the framework compiled in the first, where it can keep that.
    A child in which others had a larger share of the CPUs than `disturbance` is made again, up to ATTEMPTS times.
    `until`: seconds of warmup and sampling in which a fit with a target is to meet it (None: the budget's for a child,
    shared by its fits).
    """

    timeout: float | None = None
    memory: int | None = None
    fresh: bool = False
    disturbance: float | None = None
    reuse: bool = False
    until: float | None = None


ATTEMPTS = 3


def one(
    job: Job, plan: Plan, folder: RunFolder, limits: Limits, executor: Submits, tick: Callable[[], None]
) -> list[Record]:
    """Run one job in a child, and complete what the child left unrecorded; what was recorded before is replaced.

    StorageError where results can no longer be written.
    """
    status, reason = refusal(job.planned)
    if status:
        return record_missing(job, folder, status, reason, child=new_child())
    for attempt in range(1, ATTEMPTS + 1):
        request = asked(job, plan, folder, limits, executor.slowness())
        whole = False
        try:
            end = executor.submit(request, folder.path, tick)
            whole = end.code == 0
        finally:
            folder.mend()
            if not whole:
                _tidy(folder, job.planned.cell.id)
        records = answered(job, folder, request, end, attempt)
        if not disturbed(records, limits):
            break
    return records


def disturbed(records: Sequence[Record], limits: Limits) -> bool:
    """Whether others had more of the CPUs of their child than is allowed."""
    return limits.disturbance is not None and any((r.disturbance or 0.0) > limits.disturbance for r in records)


def refusal(planned: Planned) -> tuple[str, str]:
    """Status and reason of a cell that cannot be fitted here, known without a child; empty when it may."""
    if reason := planned.unsupported():
        return "unsupported", reason
    reason = planned.backend.home.unavailable
    return ("unavailable", reason) if reason else ("", "")


def asked(job: Job, plan: Plan, folder: RunFolder, limits: Limits, slowness: float) -> Request:
    """What a new child for the job is to do, on a machine that is so much slower; nothing of an earlier one is left."""
    cell = job.planned.cell
    for rep in job.reps:
        folder.spares.forget(folder.fit(cell.id, rep).name)
    compiled = f".compiled/{cell.id}" if limits.reuse else ""
    if compiled and job.round == 0:
        shutil.rmtree(folder.path / compiled, ignore_errors=True)  # a first round made again compiles again
    budget = cell.resolved_budget()
    slow = budget.timeout * slowness
    limit = limits.until or slow / len(job.reps)
    # what follows the target takes as long again
    timeout = limits.timeout or round(slow + 2.0 * limit * len(job.reps) * bool(budget.until))
    return Request(
        work="until" if budget.until else "fit",
        needs=needs_of(cell),
        task={
            "cell": asdict(cell),
            "round": job.round,
            "position": job.position,
            "reps": list(job.reps),
            "seed": plan.seed,
            "child": new_child(),
            "compiled": compiled,
            **({"limit": limit} if budget.until else {}),
        },
        timeout=timeout,
        memory=limits.memory,
        name=f"{folder.INNER}/.{cell.id}-round{job.round}",
    )


def answered(job: Job, folder: RunFolder, request: Request, end: End, attempt: int) -> list[Record]:
    """The records of a job whose child has ended, and a line on it in the ledger. StorageError."""
    if end.code == STORAGE:
        raise StorageError(f"a fit could not be stored: {described(folder.path)} takes no more")
    status, reason = end.status(request.timeout)
    if status == "timeout":
        reason += f"; for more: --timeout {2.5 * request.timeout:.0f}"
    elif status == "crashed":
        reason += last_words(end.log)
    records = record_missing(job, folder, status, reason, child=request.task["child"], end=end)
    before, after = end.reference_seconds or (None, None)
    folder.children.append(
        {
            "cell": job.planned.cell.id,
            "round": job.round,
            "attempt": attempt,
            "started": end.started,
            "seconds": end.seconds,
            "load_average": end.load_average,
            "reference_seconds_before": before,
            "reference_seconds_after": after,
            **({"host": end.host, "slot": end.slot} if end.host else {}),
        }
    )
    return records


def _tidy(folder: RunFolder, cell: str) -> None:
    """Remove whatever a child that died was about to rename into place."""
    for left in (folder.path / folder.INNER).glob(f".{cell}-*"):
        remove(left)


def record_missing(
    job: Job,
    folder: RunFolder,
    status: str,
    reason: str,
    *,
    child: str = "",
    end: End | None = None,
) -> list[Record]:
    """The job's records; a rep without one gets one with this status, and so does one with a record by another child.

    Without `child` whatever is recorded stands; so does what a child of an older version recorded, which does not say.
    """
    records = []
    for rep in job.reps:
        record = folder.record(job.planned.cell.id, rep)
        if record is None or (child and record.child not in ("", child)):
            log = end.log if end else b""
            record = Record(
                cell=job.planned.cell.id,
                rep=rep,
                round=job.round,
                position=job.position,
                cold=rep == job.reps.start,
                status=status,
                reason=reason,
                child=child,
                peak_rss_bytes=end.peak_rss_bytes if end else None,
                exit_code=end.code if end else None,
                seconds_until_end=end.seconds if end else None,
                measured_at=now(),
                scenario_digest=job.planned.scenario.digest,
                backend_digest=job.planned.backend.digest,
                log_tail=tail(log),
            )
            folder.write_fit(record, None, log)
        folder.spares.keep(folder.fit(record.cell, rep).name)
        records.append(record)
    return records


def new_child() -> str:
    """A name for one making of a job, told apart from all others."""
    return uuid.uuid4().hex[:12]

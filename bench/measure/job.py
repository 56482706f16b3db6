"""One job in a child: its request, its limits, and a record for whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.errors import StorageError
from bench.measure import noise
from bench.measure.child import End, watch
from bench.measure.environment import default_threads
from bench.measure.fresh import FreshChild
from bench.measure.servers import Servers, key_of
from bench.plan import Job, Plan
from bench.store import logs
from bench.store.durable import STORAGE, described, write_json
from bench.store.folder import Record, RunFolder, tail


@dataclass(frozen=True, slots=True)
class Limits:
    """Per child: seconds (None: the budget's) and bytes of resident memory (None: 80 % of what is free then).

    `fresh`: every child an interpreter of its own, instead of one forked where its framework is imported already.
    `reuse`: rounds after the first take what the framework compiled in the first, where it can keep that.
    A child in which others had a larger share of the CPUs than `disturbance` is made again, up to ATTEMPTS times.
    """

    timeout: float | None = None
    memory: int | None = None
    fresh: bool = False
    disturbance: float | None = None
    reuse: bool = False


ATTEMPTS = 3


def one(
    job: Job, plan: Plan, folder: RunFolder, limits: Limits, servers: Servers, tick: Callable[[], None]
) -> list[Record]:
    """Run one job in a child, and complete what the child left unrecorded; what was recorded before is replaced.

    StorageError where results can no longer be written.
    """
    planned = job.planned
    if why := planned.unsupported():
        return record_missing(job, folder, "unsupported", why, child=new_child())
    if missing := planned.backend.missing:
        return record_missing(
            job,
            folder,
            "unavailable",
            f"{', '.join(missing)} is not installed; {planned.backend.install}",
            child=new_child(),
        )
    for attempt in range(1, ATTEMPTS + 1):
        records = _attempt(job, plan, folder, limits, servers, tick, attempt=attempt)
        worst = max((r.disturbance or 0.0 for r in records), default=0.0)
        if limits.disturbance is None or worst <= limits.disturbance:
            break
    return records


def _attempt(
    job: Job,
    plan: Plan,
    folder: RunFolder,
    limits: Limits,
    servers: Servers,
    tick: Callable[[], None],
    *,
    attempt: int,
) -> list[Record]:
    """One child for the job, with a fixed workload timed before and after it."""
    cell = job.planned.cell
    stem = folder.path / "fits" / f".{cell.id}-round{job.round}"
    request, log = stem.with_suffix(".json"), stem.with_suffix(".log")
    threads = cell.threads or default_threads()
    timeout = limits.timeout or cell.resolved_budget().timeout
    compiled = folder.path / ".compiled" / cell.id if limits.reuse else None
    if compiled is not None and job.round == 0:
        shutil.rmtree(compiled, ignore_errors=True)  # a first round made again compiles again
    made_by = new_child()
    asked = _request(job, plan, folder, threads, log)
    write_json(request, asked | {"child": made_by, "compiled": compiled and str(compiled.resolve())})
    before, load = noise.reference_workload(), os.getloadavg()[0]
    try:
        started = servers.child(key_of(cell), request, log)
        end = watch(started, timeout=timeout, memory=limits.memory or free_memory(), tick=tick)
        if end.code == STORAGE:
            raise StorageError(f"a fit could not be stored: {described(folder.path)} takes no more")
        status, reason = how(end, timeout)
        records = record_missing(job, folder, status, reason, child=made_by, end=end, log=logs.end(log))
    finally:
        _tidy(folder, cell.id)
    folder.children.append(
        {
            "cell": cell.id,
            "round": job.round,
            "attempt": attempt,
            "started": "fresh" if isinstance(started, FreshChild) else "forked",
            "seconds": end.seconds,
            "load_average": load,
            "reference_seconds_before": before,
            "reference_seconds_after": noise.reference_workload(),
        }
    )
    return records


def _tidy(folder: RunFolder, cell: str) -> None:
    """Remove the request, the log, and whatever a child that died was about to rename into place."""
    for left in (folder.path / "fits").glob(f".{cell}-*"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


def _request(job: Job, plan: Plan, folder: RunFolder, threads: int, log: Path) -> dict[str, object]:
    return {
        "cell": asdict(job.planned.cell),
        "round": job.round,
        "position": job.position,
        "reps": list(job.reps),
        "seed": plan.seed,
        "threads": threads,
        "folder": str(folder.path.resolve()),
        "log": str(log.resolve()),
        "parent": os.getpid(),
    }


def how(end: End, timeout: float) -> tuple[str, str]:
    """Status and sentence of a child that left reps unrecorded."""
    after = f"after {end.seconds:.1f} s"
    if end.limit == "timeout":
        return "timeout", f"stopped at its limit of {timeout:g} s"
    if end.limit == "memory":
        return "memory", f"stopped at {end.peak_rss_bytes / 2**20:.0f} MiB of resident memory {after}"
    if end.code == -signal.SIGKILL:
        return "memory", f"killed from outside {after} (signal SIGKILL), which is what the system does when memory ends"
    if end.code < 0:
        return "crashed", f"ended by signal {signal.Signals(-end.code).name} {after}"
    return "crashed", f"left with exit code {end.code} {after} without a result"


def record_missing(
    job: Job,
    folder: RunFolder,
    status: str,
    reason: str,
    *,
    child: str = "",
    end: End | None = None,
    log: bytes = b"",
) -> list[Record]:
    """The job's records; a rep without one gets one with this status, and so does one with a record by another child.

    Without `child` whatever is recorded stands; so does what a child of an older version recorded, which does not say.
    """
    records = []
    for rep in job.reps:
        record = folder.record(job.planned.cell.id, rep)
        if record is None or (child and record.child not in ("", child)):
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
                measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
                scenario_digest=job.planned.scenario.digest,
                backend_digest=job.planned.backend.digest,
                log_tail=tail(log),
            )
            folder.write_fit(record, None, log)
        records.append(record)
    return records


def new_child() -> str:
    """A name for one making of a job, told apart from all others."""
    return uuid.uuid4().hex[:12]


def free_memory() -> int:
    """80 % of the bytes that are free now."""
    import psutil

    return int(0.8 * psutil.virtual_memory().available)

"""Run a plan on this machine: one child after the other, every planned rep ending as a record."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bench.plan import Job, Plan
from bench.runner import child
from bench.runner.environment import default_threads
from bench.store.folder import Record, RunFolder, tail, write_json


class Watcher(Protocol):
    """Who wants to see a run go by (the CLI's progress display)."""

    def starts(self, job: Job) -> None:
        """A child is about to start."""
        ...

    def waits(self) -> None:
        """Called a few times a second while it runs."""
        ...

    def ends(self, job: Job, records: list[Record]) -> None:
        """It has ended; one record per rep."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Per child: seconds (None: the budget's) and bytes of resident memory (None: 80 % of what is free then)."""

    timeout: float | None = None
    memory: int | None = None


def execute(plan: Plan, folder: RunFolder, limits: Limits, watcher: Watcher) -> bool:
    """Run every job; False when interrupted (Ctrl-C), with the reps not made recorded as such."""
    jobs = list(plan.jobs())
    for i, job in enumerate(jobs):
        watcher.starts(job)
        try:
            records = one(job, plan, folder, limits, watcher.waits)
        except KeyboardInterrupt:
            for left in jobs[i:]:
                _record_missing(left, plan, folder, "interrupted", "the run was interrupted before this rep ended")
            return False
        watcher.ends(job, records)
    return True


def one(job: Job, plan: Plan, folder: RunFolder, limits: Limits, tick: Callable[[], None]) -> list[Record]:
    """Run one job in a child, and complete what the child left unrecorded."""
    planned = job.planned
    if why := planned.unsupported():
        return _record_missing(job, plan, folder, "unsupported", why)
    if missing := planned.backend.missing:
        return _record_missing(
            job, plan, folder, "unavailable", f"{', '.join(missing)} is not installed; {planned.backend.install}"
        )
    stem = folder.path / "fits" / f".{planned.cell.id}-round{job.round}"
    request, log = stem.with_suffix(".json"), stem.with_suffix(".log")
    threads = planned.cell.threads or default_threads()
    timeout = limits.timeout or planned.cell.resolved_budget().timeout
    write_json(request, _request(job, plan, folder, threads, log))
    try:
        end = child.run(
            request, log, threads=threads, timeout=timeout, memory=limits.memory or _free_memory(), tick=tick
        )
        status, reason = _how(end, timeout)
        return _record_missing(job, plan, folder, status, reason, end=end, log=log.read_bytes())
    finally:
        _tidy(folder, planned.cell.id)


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


def _how(end: child.End, timeout: float) -> tuple[str, str]:
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


def _record_missing(
    job: Job,
    plan: Plan,
    folder: RunFolder,
    status: str,
    reason: str,
    *,
    end: child.End | None = None,
    log: bytes = b"",
) -> list[Record]:
    """The job's records; a rep without one gets one with this status, so that no planned row is missing."""
    records = []
    for rep in job.reps:
        record = folder.record(job.planned.cell.id, rep)
        if record is None:
            record = Record(
                cell=job.planned.cell.id,
                rep=rep,
                round=job.round,
                position=job.position,
                cold=rep == job.reps.start,
                status=status,
                reason=reason,
                stats={"seconds_until": end.seconds} if end else {},
                peak_rss_bytes=end.peak_rss_bytes if end else None,
                exit_code=end.code if end else None,
                measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
                scenario_digest=job.planned.scenario.digest,
                backend_digest=job.planned.backend.digest,
                log_tail=tail(log),
            )
            folder.write_fit(record, None, log)
        records.append(record)
    return records


def _free_memory() -> int:
    import psutil

    return int(0.8 * psutil.virtual_memory().available)

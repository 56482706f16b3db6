"""Run a calibration on this machine: a child per cell, every planned data set ending as a line of its ledger."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from bench.calibration.trial import Trial
from bench.data import calibration_data, dataset
from bench.errors import NoReference, UsageError
from bench.measure import job
from bench.measure.executor import Executor, Request, needs_of
from bench.plan import Plan, Planned
from bench.store.folder import CalibrationFolder
from bench.store.logs import tail
from bench.types import derive_seed

MAX_DEATHS = 3
"""Children of a cell that may die, each replaced by one that goes on after the data set it died of."""


class Watcher(Protocol):
    """Who wants to see a calibration go by (the CLI's progress display)."""

    def starts(self, planned: Planned, missing: int) -> None:
        """A cell is about to be worked on, with so many data sets missing."""
        ...

    def refused(self, planned: Planned, reason: str) -> None:
        """A cell is left out."""
        ...

    def ends(self, planned: Planned, trials: list[Trial]) -> None:
        """These data sets have ended."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for one data set, or for import, compilation and the first (None: the budget's); bytes of memory."""

    timeout: float | None = None
    memory: int | None = None


def execute(
    plan: Plan, datasets: int, folder: CalibrationFolder, limits: Limits, watcher: Watcher, executor: Executor
) -> bool:
    """Fit every missing data set of every cell; False when interrupted (Ctrl-C)."""
    try:
        for planned in plan.cells:
            reason = refusal(planned, plan.seed)[1]
            if reason:
                watcher.refused(planned, reason)
            else:
                _cell(planned, plan, datasets, folder, limits, watcher, executor)
    except KeyboardInterrupt:
        return False
    return True


def refusal(planned: Planned, seed: int) -> tuple[str, str]:
    """Status and reason of a cell that cannot be calibrated; empty when it may."""
    if planned.kind == "point":
        return "unsupported", "a point has no spread: neither ranks nor intervals of it can be calibrated"
    if any(refused := job.refusal(planned)):
        return refused
    try:
        template = dataset(planned.scenario, seed=seed, rep=0)
        calibration_data(planned.scenario, template, seed=seed, number=0)
    except NoReference as why_not:
        return "unsupported", str(why_not)
    return "", ""


def trials(folder: CalibrationFolder, cell: str, datasets: int) -> list[Trial]:
    """The stored data sets of a cell by number; UsageError for a damaged ledger."""
    ledger = folder.ledger(cell)
    try:
        stored = {t.number: t for t in map(Trial.of, reversed(ledger.entries()))}
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{ledger.path} is damaged: {error}") from None
    return [stored[number] for number in sorted(stored) if number < datasets]


def check_same_data(planned: Planned, stored: list[Trial], seed: int) -> None:
    """UsageError when today's scenario and family give other data than a stored fit saw."""
    for trial in [t for t in stored if t.data_digest][:1]:
        template = dataset(planned.scenario, seed=seed, rep=0)
        now = calibration_data(planned.scenario, template, seed=seed, number=trial.number)
        if now.digest != trial.data_digest:
            raise UsageError(
                f"scenario {planned.cell.scenario_label} gives other data now than when data set {trial.number} was "
                "fitted: its family has changed; start a new calibration"
            )


def _cell(
    planned: Planned,
    plan: Plan,
    datasets: int,
    folder: CalibrationFolder,
    limits: Limits,
    watcher: Watcher,
    executor: Executor,
) -> None:
    """Children, one after the other, until every data set has its line."""
    ledger, cell = folder.ledger(planned.cell.id), planned.cell.id
    ledger.mend()
    missing = _missing(folder, cell, datasets)
    watcher.starts(planned, len(missing))
    deaths = 0
    while missing:
        status, reason, log = _child(planned, plan, missing, folder, limits, watcher, executor)
        ledger.mend()
        missing = _missing(folder, cell, datasets)
        if not missing:
            return
        deaths += 1
        seed = derive_seed(plan.seed, "calibration", planned.scenario.label, missing[0])
        now = datetime.now(UTC).isoformat(timespec="seconds")
        lost = [Trial(missing[0], status, reason, data_seed=seed, measured_at=now, log_tail=tail(log))]
        if deaths == MAX_DEATHS:
            after = f"not tried: {deaths} children of this cell had died, the last {reason}"
            lost += [replace(lost[0], number=n, reason=after, log_tail="") for n in missing[1:]]
        for trial in lost:
            ledger.append(trial.entry())
        watcher.ends(planned, lost)
        missing = missing[len(lost) :]


def _missing(folder: CalibrationFolder, cell: str, datasets: int) -> list[int]:
    done = {t.number for t in trials(folder, cell, datasets)}
    return [number for number in range(datasets) if number not in done]


def _child(
    planned: Planned,
    plan: Plan,
    numbers: list[int],
    folder: CalibrationFolder,
    limits: Limits,
    watcher: Watcher,
    executor: Executor,
) -> tuple[str, str, bytes]:
    """Let one child work; how it ended, for the data set it may have left undone, and what it printed."""
    cell, ledger = planned.cell, folder.ledger(planned.cell.id)
    request = Request(
        work="calibrate",
        needs=needs_of(cell),
        task={"cell": asdict(cell), "datasets": numbers, "seed": plan.seed},
        timeout=limits.timeout or cell.resolved_budget().timeout,
        memory=limits.memory,
        name=f"{folder.INNER}/.{cell.id}",
        progress=f"{folder.INNER}/{cell.id}.jsonl",
        log=f"{folder.INNER}/{cell.id}.log",
    )
    at = ledger.size()

    def follow() -> None:
        """Show what has been finished since the last look."""
        nonlocal at
        entries, at = ledger.after(at)
        if entries:
            watcher.ends(planned, [Trial.of(e) for e in entries])

    end = executor.submit(request, folder.path, follow)
    follow()
    status, reason = end.status(request.timeout)
    return status, f"{reason} for one data set" if status == "timeout" else reason, end.log

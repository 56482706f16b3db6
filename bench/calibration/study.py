"""Run a calibration: a child per cell or, in slots, several; every planned data set ends as a line of its ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from bench.calibration import parts
from bench.calibration.trial import Trial
from bench.data import calibration_data, dataset
from bench.errors import NoReference, UsageError
from bench.measure import job
from bench.measure.executor import Request, Submits, Wide, needs_of
from bench.measure.job import Limits
from bench.plan import Plan, Planned
from bench.store.folder import CalibrationFolder
from bench.store.logs import tail
from bench.store.records import now
from bench.types import derive_seed

MAX_DEATHS = 3
"""Children of a cell that may die, each replaced by one that goes on after the data set it died of."""


@dataclass(frozen=True, slots=True)
class Study:
    """Every cell of a plan fitted to so many data sets.

    The time limit is for one data set; import and compilation count to the first.
    """

    plan: Plan
    datasets: int
    folder: CalibrationFolder
    limits: Limits
    watcher: parts.Watcher
    executor: Submits

    def run(self) -> bool:
        """Fit every missing data set of every cell; False when interrupted (Ctrl-C)."""
        try:
            fitted = []
            for planned in self.plan.cells:
                reason = refusal(planned, self.plan.seed)[1]
                if reason:
                    self.watcher.refused(planned, reason)
                elif isinstance(self.executor, Wide):
                    fitted.append(planned)
                else:
                    self._cell(planned)
            if isinstance(self.executor, Wide):
                parts.Parts(self, fitted, self.executor).run()
        except KeyboardInterrupt:
            return False
        return True

    def _cell(self, planned: Planned) -> None:
        """Children, one after the other, until every data set has its line."""
        self.folder.ledger(planned.cell.id).mend()
        missing = self.missing(planned)
        self.watcher.starts(planned, len(missing))
        self.fit(planned, missing)

    def fit(self, planned: Planned, numbers: Sequence[int]) -> None:
        """Children, one after the other, until each of these data sets has its line."""
        ledger, missing, deaths = self.folder.ledger(planned.cell.id), list(numbers), 0
        while missing:
            status, reason, log = self._child(planned, missing)
            ledger.mend()
            left = set(self.missing(planned))
            missing = [number for number in missing if number in left]
            if not missing:
                return
            deaths += 1
            seed = derive_seed(self.plan.seed, "calibration", planned.scenario.label, missing[0])
            lost = [Trial(missing[0], status, reason, data_seed=seed, measured_at=now(), log_tail=tail(log))]
            if deaths == MAX_DEATHS:
                after = f"not tried: {deaths} children of this cell had died, the last {reason}"
                lost += [replace(lost[0], number=n, reason=after, log_tail="") for n in missing[1:]]
            for trial in lost:
                ledger.append(trial.entry())
            self.watcher.ends(planned, lost)
            missing = missing[len(lost) :]

    def missing(self, planned: Planned) -> list[int]:
        """The data sets of a cell without a line."""
        done = {t.number for t in trials(self.folder, planned.cell.id, self.datasets)}
        return [number for number in range(self.datasets) if number not in done]

    def _child(self, planned: Planned, numbers: list[int]) -> tuple[str, str, bytes]:
        """Let one child work; how it ended, for the data set it may have left undone, and what it printed."""
        cell, ledger, inner = planned.cell, self.folder.ledger(planned.cell.id), self.folder.INNER
        request = Request(
            work="calibrate",
            needs=needs_of(cell),
            task={"cell": asdict(cell), "datasets": numbers, "seed": self.plan.seed},
            timeout=self.limits.timeout or cell.resolved_budget().timeout,
            memory=self.limits.memory,
            name=f"{inner}/.{cell.id}",
            progress=f"{inner}/{cell.id}.jsonl",
            log=f"{inner}/{cell.id}.log",
        )
        at = ledger.size()

        def follow() -> None:
            """Show what has been finished since the last look."""
            nonlocal at
            entries, at = ledger.after(at)
            if entries:
                self.watcher.ends(planned, [Trial.of(e) for e in entries])

        end = self.executor.submit(request, self.folder.path, follow)
        follow()
        status, reason = end.status(request.timeout)
        return status, f"{reason} for one data set" if status == "timeout" else reason, end.log


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

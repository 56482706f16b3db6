"""How far the work is, on stderr: bars and status lines on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Rich
from rich.table import Column
from rich.text import Text

from bench.cli.output import ERR
from bench.cli.remaining import Remaining
from bench.measure import interrupts
from bench.measure.watchers import Absent, Seen, Watcher

if TYPE_CHECKING:
    from bench.calibration.trial import Trial
    from bench.comparison.sides import Side
    from bench.plan import Job, Plan, Planned
    from bench.store.records import Record

EVERY = 10.0
"""Seconds between plain lines of a calibration."""


class Status(AbstractContextManager["Status"]):
    """One line that says what is being done; where stderr is no terminal nothing, or a line each with `lines`."""

    def __init__(self, text: str, *, quiet: bool = False, lines: bool = False) -> None:
        self._status = ERR.status(Text(text)) if ERR.is_terminal and not quiet else None
        self._lines, self._named = lines and not quiet and not ERR.is_terminal, Seen()

    def __enter__(self) -> Self:
        if self._status:
            self._status.start()
        return self

    def update(self, text: str) -> None:
        """Change what it says."""
        if self._status:
            self._status.update(Text(text))
        for one in self._named.new(text) if self._lines else ():
            ERR.print(one)

    def tick(self, text: str) -> None:
        """The same, of work that ends here if it has been asked to: KeyboardInterrupt. Nothing said changes nothing."""
        interrupts.check()
        if text:
            self.update(text)

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()


class _Left(ProgressColumn):
    """How long it will still take, by the second."""

    def __init__(self, remaining: Remaining) -> None:
        super().__init__(Column(no_wrap=True))
        self._remaining = remaining

    def render(self, task: Task) -> Text:
        return Text("" if task.finished else self._remaining.text())


class Bar(AbstractContextManager["Bar"]):
    """How much of `total` is done, with an ETA; no bar where stderr is no terminal."""

    def __init__(self, total: int, *, quiet: bool, eta: ProgressColumn) -> None:
        self.quiet, self.plain = quiet, quiet or not ERR.is_terminal
        columns = [SpinnerColumn(), BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}", markup=False)]
        self.bar = Rich(*columns, TimeElapsedColumn(), eta, console=ERR, disable=self.plain)
        self.total, self.task = total, self.bar.add_task("starting", total=total)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def say(self, text: str, *, always: bool = False) -> None:
        """A line on stderr; beside a bar only with `always`."""
        if not self.quiet and (always or self.plain):
            ERR.print(text)


class RunProgress(Bar, Watcher):
    """The cell at work, what is done, and how long the rest will take."""

    def __init__(self, jobs: Sequence[Job], *, quiet: bool) -> None:
        self.remaining, self.done, self.verified, self.absent = Remaining(jobs), 0, Seen(), Absent(jobs)
        super().__init__(len(jobs), quiet=quiet, eta=_Left(self.remaining))

    def verifies(self, what: str) -> None:
        """Name the densities that are being verified; once, and why, where stderr is no terminal."""
        if self.verified.nothing:
            self.say("verifying densities and methods, so that no wrong target is timed; verdicts are kept:")
        for one in self.verified.new(what):
            self.say(f"  {one}")
        self.bar.update(self.task, description=f"verifying {what}")

    def imports(self, framework: str) -> None:
        """Name the framework that is being imported."""
        self.bar.update(self.task, description=f"importing {framework}")

    def starts(self, job: Job) -> None:
        """Name the cell at work."""
        self.remaining.starts(job)
        self.bar.update(self.task, description=job.planned.name)

    def ends(self, job: Job, records: Sequence[Record]) -> None:
        """Advance; a fit that is not ok is said at once, a contender that is not available once, for all its fits."""
        self.remaining.ends(job)
        self.done += 1
        self.bar.update(self.task, advance=1)
        bad = next((r for r in records if r.status != "ok"), None)
        if bad and bad.status == "unavailable":
            if text := self.absent.new(job, bad.reason):
                self.say(text, always=True)
            return
        seconds = sum(v for r in records for k, v in r.seconds.items() if k != "import")  # that is shared
        left = f", {self.remaining.text()}" if self.done < self.total else ""
        how = f"{bad.status}: {bad.reason}" if bad else f"ok, {seconds:.1f} s{left}"
        self.say(f"[{self.done}/{self.total}] {job.planned.name}: {how}", always=bad is not None)


class CalibrationProgress(Bar):
    """The cell at work, data sets done, and an ETA."""

    def __init__(self, plan: Plan, datasets: int, *, quiet: bool) -> None:
        super().__init__(len(plan.cells) * datasets, quiet=quiet, eta=TimeRemainingColumn())
        self.datasets, self.last, self.bad = datasets, time.monotonic(), 0
        self.done: dict[str, int] = {}

    def starts(self, planned: Planned, missing: int) -> None:
        """Name the cell; what an earlier start has done counts as done."""
        self.done[planned.cell.id], self.bad = self.datasets - missing, 0
        self.bar.update(self.task, description=planned.name, advance=self.datasets - missing)
        self._count(planned)

    def refused(self, planned: Planned, reason: str) -> None:
        """Say why a cell is left out."""
        self.bar.update(self.task, advance=self.datasets)
        self.say(f"{planned.name}: left out: {reason}", always=True)

    def ends(self, planned: Planned, trials: Sequence[Trial]) -> None:
        """Advance; the first failure of a cell is said at once, others are counted."""
        self.done[planned.cell.id] += len(trials)
        self.bar.update(self.task, advance=len(trials))
        bad = [trial for trial in trials if trial.status != "ok"]
        if bad and not self.bad:
            first = bad[0]
            self.say(f"{planned.name}, data set {first.number}: {first.status}: {first.reason}", always=True)
        self.bad += len(bad)
        if self.done[planned.cell.id] >= self.datasets or time.monotonic() - self.last > EVERY:
            self._count(planned)

    def _count(self, planned: Planned) -> None:
        self.last = time.monotonic()
        bad = f", {self.bad} of them not ok" if self.bad else ""
        self.say(f"{planned.name}: {self.done[planned.cell.id]}/{self.datasets} data sets{bad}")


class AlternatingProgress(Status):
    """Side, cell and round at work; where stderr is no terminal a line per round."""

    def __init__(self, *, quiet: bool) -> None:
        super().__init__("starting", quiet=quiet)
        self._rounds = not quiet and not ERR.is_terminal
        self._round = -1

    def imports(self, framework: str) -> None:
        """Name the framework that is being imported."""
        self.update(f"importing {framework}")

    def starts(self, side: Side, job: Job) -> None:
        """Name side, cell and round at work."""
        self.update(f"round {job.round + 1}: {job.planned.name} of {side.source.label}")
        if self._rounds and job.round != self._round:
            self._round = job.round
            ERR.print(f"round {job.round + 1}")

    def waits(self) -> None:
        """Nothing: the status line spins by itself."""

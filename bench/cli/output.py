"""What the verbs show: plans, progress, outcomes. Progress goes to stderr, results to stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

    from bench.analysis.sections import Report
    from bench.plan import Job, Plan
    from bench.store.folder import RunFolder
    from bench.store.records import Record

OUT = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 120)
ERR = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 200)


def print_json(value: Any) -> None:
    """Strict JSON on stdout."""
    sys.stdout.write(json.dumps(value, indent=1, allow_nan=False, default=str) + "\n")


def show_plan(plan: Plan, *, as_json: bool) -> None:
    """The cells of a plan and how many fits they make."""
    if as_json:
        print_json({"seed": plan.seed, "fits": plan.fits, **plan.description()})
        return
    from rich.table import Table

    table = Table("cell", "scenario", "backend", "kind", "budget", "device", "dtype", "reps × rounds", "", box=None)
    for p in plan.cells:
        c = p.cell
        note = p.unsupported() or (f"{', '.join(p.backend.missing)} not installed" if p.backend.missing else "")
        work = f"{p.reps} × {p.rounds}"
        row = [c.id, c.scenario_label, c.backend_label, p.kind, c.budget, c.device, c.dtype, work, note]
        table.add_row(*(cell.replace("[", r"\[") for cell in row))
    OUT.print(table)
    OUT.print(f"{len(plan.cells)} cells, {plan.fits} fits, seed {plan.seed}; nothing was run")


def show_jobs(folder: RunFolder, jobs: Sequence[Job], *, as_json: bool) -> None:
    """What a resumed run would make."""
    fits = sum(len(job.reps) for job in jobs)
    if as_json:
        rows = [{"cell": j.planned.cell.id, "round": j.round, "reps": list(j.reps)} for j in jobs]
        print_json({"run": folder.name, "fits": fits, "jobs": rows})
        return
    for j in jobs:
        OUT.print(f"{_name(j)}: round {j.round}, reps {', '.join(map(str, j.reps))}", markup=False)
    OUT.print(f"{len(jobs)} children, {fits} fits are missing of {folder.path}; nothing was run", markup=False)


def warn(*folders: RunFolder) -> None:
    """Name on stderr what of these runs could not be read and was left out, each once."""
    for folder in folders:
        known = len(folder.damage)
        for where, why in list(folder.damage.items())[:NAMED]:
            # of another run, `latest` says
            place = folder.path.parent / where[3:] if where.startswith("../") else folder.path / where
            ERR.print(f"warning: {place} is damaged and left out: {why}", markup=False)
        if known > NAMED:
            ERR.print(
                f"warning: {known - NAMED} more are damaged; all: python -m bench check {folder.path}", markup=False
            )


NAMED = 10
"""How many damaged files are named before the rest are counted."""


def _name(job: Job) -> str:
    return f"{job.planned.cell.scenario_label} × {job.planned.cell.backend_label}"


class Bar:
    """How much of `total` is done, with an ETA (the task's field `eta`); nothing where stderr is no terminal."""

    def __init__(self, total: int, *, quiet: bool, eta: ProgressColumn | None = None) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Rich

        self.quiet, self.plain = quiet, quiet or not ERR.is_terminal
        columns = [SpinnerColumn(), BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}", markup=False)]
        columns += [TimeElapsedColumn(), eta or TextColumn("{task.fields[eta]}")]
        self.bar = Rich(*columns, console=ERR, disable=self.plain)
        self.total, self.task = total, self.bar.add_task("starting", total=total, eta="")

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()


class Progress(Bar):
    """The cell at work, what is done, and an ETA; plain lines where stderr is no terminal."""

    def __init__(self, jobs: int, *, quiet: bool) -> None:
        super().__init__(jobs, quiet=quiet)
        self.done, self.began, self.verified = 0, 0.0, ""

    def verifies(self, what: str) -> None:
        """Name the densities that are being verified; a line each where stderr is no terminal."""
        if self.plain and not self.quiet and what != self.verified:
            ERR.print(f"verifying {what}", markup=False)
        self.verified = what
        self.bar.update(self.task, description=f"verifying {what}")

    def imports(self, framework: str) -> None:
        """Name the framework that is being imported."""
        self.bar.update(self.task, description=f"importing {framework}")

    def starts(self, job: Job) -> None:
        """Name the cell at work."""
        self.began = self.began or time.monotonic()
        self.bar.update(self.task, description=_name(job), eta=self._eta())

    def waits(self) -> None:
        """Nothing: rich redraws by itself."""

    def ends(self, job: Job, records: list[Record]) -> None:
        """Advance; a fit that is not ok is said at once."""
        self.done += 1
        self.bar.update(self.task, advance=1, eta=self._eta())
        name = _name(job)
        bad = [r for r in records if r.status != "ok"]
        if self.quiet:
            return
        if bad:
            ERR.print(f"[{self.done}/{self.total}] {name}: {bad[0].status}: {bad[0].reason}", markup=False)
        elif self.plain:
            seconds = sum(v for r in records for k, v in r.seconds.items() if k != "import")  # that is shared
            ERR.print(f"[{self.done}/{self.total}] {name}: ok, {seconds:.1f} s{self._eta(', ')}", markup=False)

    def _eta(self, before: str = "") -> str:
        if not self.done:
            return ""
        left = (time.monotonic() - self.began) / self.done * (self.total - self.done)
        return f"{before}about {int(left // 60)}:{int(left % 60):02d} left"


class Status(AbstractContextManager["Status"]):
    """One line that says what is being done; where stderr is no terminal nothing, or a line each with `lines`."""

    def __init__(self, text: str, *, quiet: bool, lines: bool = False) -> None:
        self._status = ERR.status(text) if ERR.is_terminal and not quiet else None
        self._lines, self._text = lines and not quiet and not ERR.is_terminal, ""

    def __enter__(self) -> Status:
        if self._status:
            self._status.start()
        return self

    def update(self, text: str) -> None:
        """Change what it says."""
        if self._status:
            self._status.update(text)
        if self._lines and text != self._text:
            ERR.print(text, markup=False)
        self._text = text

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._status:
            self._status.stop()


def exit_code(folder: RunFolder, *, interrupted: bool) -> int:
    """Exit code of a run: unsupported and unavailable count only when the cell was named without a glob or suite."""
    from bench.store.tables import fits_table
    from bench.types import BAD_STATUSES

    fits = fits_table(folder)
    if interrupted:
        return 130
    named = fits["explicit"] & fits["status"].isin(["unsupported", "unavailable"])
    if bool((fits["status"].isin(list(BAD_STATUSES)) | named).any()):
        return 3
    return 0 if bool((fits["status"] == "ok").any()) else 4


def show_outcome(folder: RunFolder, code: int, *, as_json: bool, shown: Report | None) -> None:
    """The summary table (None: not scored), counts by status, and where the report is."""
    from bench.store.tables import read

    counts = {str(k): int(v) for k, v in read(folder, "fits")["status"].value_counts().sort_index().items()}
    report = folder.path / "report.html" if shown else None
    resume = folder.resume_command() if "interrupted" in counts else None
    if as_json:
        paths = {"run": folder.name, "path": folder.path, "fits": counts, "report": report, "resume": resume}
        print_json(paths | {"exit": code})
        return
    if shown:
        from bench.present import terminal

        OUT.print(terminal.summary(shown))
    OUT.print("fits: " + ", ".join(f"{n} {status}" for status, n in counts.items()))
    OUT.print(f"report: {report}" if report else f"not scored; next: python -m bench score {folder.path}", markup=False)
    if resume:
        OUT.print(f"what is missing is made by: {resume}", markup=False)

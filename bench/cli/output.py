"""What the verbs show: plans, tables, outcomes. Results go to stdout, warnings to stderr."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from rich.console import Console
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from bench.cli import FAILED, INTERRUPTED, NO_BASELINE, NOTHING, OK
from bench.errors import tame
from bench.words import format as fmt
from bench.words import program

if TYPE_CHECKING:  # a machine that only fits need not have what tables and reports need
    import pandas as pd

    from bench.analysis.sections import Report
    from bench.plan import Job, Plan
    from bench.store.folder import RunFolder

NAMED = 10
"""How many damaged files are named before the rest are counted."""


class Terminal(Console):
    """A console to which no text gives orders: what a terminal or an eye would obey is written out."""

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        return super()._render_buffer(s if s.control else Segment(tame(s.text), s.style) for s in buffer)


def next_steps(done: str, *commands: str) -> None:
    """What has been done, and the commands to type next, each whole on its line however narrow the terminal is."""
    OUT.print(f"{done}. Next:", soft_wrap=True)
    for command in commands:
        OUT.print(f"  {command}", soft_wrap=True)


def no_baseline(why: str) -> NoReturn:
    """Say that there is nothing to compare with, and leave with the exit code of that."""
    ERR.print(f"no baseline: {why}")
    raise typer.Exit(NO_BASELINE)


def write(text: str) -> None:
    """Text that has its form already, on stdout."""
    sys.stdout.write(tame(text))


OUT = Terminal(soft_wrap=True, highlight=False, markup=False, width=None if sys.stdout.isatty() else 120)
ERR = Terminal(stderr=True, highlight=False, markup=False, width=None if sys.stderr.isatty() else 200)


def print_json(value: Any) -> None:
    """Strict JSON on stdout."""
    sys.stdout.write(json.dumps(value, indent=1, allow_nan=False, default=str) + "\n")


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows of plain texts under their titles."""
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*map(Text, row))
    OUT.print(table)


def show_plan(plan: Plan, *, as_json: bool) -> None:
    """The cells of a plan and how many fits they make."""
    if as_json:
        print_json({"seed": plan.seed, "fits": plan.fits, **plan.description()})
        return
    rows = []
    for p in plan.cells:
        c = p.cell
        home = p.backend.home
        note = p.unsupported() or home.broken or (f"{', '.join(home.missing)} not installed" if home.missing else "")
        work = f"{p.reps} × {p.rounds}"
        rows.append([c.id, c.scenario_label, c.backend_label, p.kind, c.budget, c.device, c.dtype, work, note])
    show_table(["cell", "scenario", "backend", "kind", "budget", "device", "dtype", "reps × rounds", ""], rows)
    OUT.print(f"{len(plan.cells)} cells, {plan.fits} fits, seed {plan.seed}; nothing was run")


def show_jobs(folder: RunFolder, jobs: Sequence[Job], *, as_json: bool) -> None:
    """What a resumed run would make."""
    fits = sum(len(job.reps) for job in jobs)
    if as_json:
        rows = [{"cell": j.planned.cell.id, "round": j.round, "reps": list(j.reps)} for j in jobs]
        print_json({"run": folder.name, "fits": fits, "jobs": rows})
        return
    for j in jobs:
        OUT.print(f"{j.planned.name}: round {j.round}, reps {', '.join(map(str, j.reps))}")
    missing = f"{fmt.count(fits, 'fit')} in {len(jobs)} child process{'es' * (len(jobs) != 1)}"
    OUT.print(f"missing of {folder.path}: {missing}; nothing was run")


def warn(*folders: RunFolder) -> None:
    """Name on stderr what of these runs could not be read and was left out, each once."""
    for folder in folders:
        for (cell, rep), why in list(folder.unscored.items())[:NAMED]:
            ERR.print(f"warning: {folder.fit(cell, rep)} {why}")
        known = len(folder.damage)
        for damaged in itertools.islice(folder.damaged(), NAMED):
            ERR.print(f"warning: {damaged}")
        if known > NAMED:
            ERR.print(f"warning: {known - NAMED} more; all: {program.command('check', folder.path)}")


def warn_broken(scenarios: Mapping[str, str]) -> None:
    """Say on stderr which scenarios {name: why} a glob has left out."""
    for name, why in scenarios.items():
        ERR.print(f"warning: scenario {name} is broken and left out: {why}")


def exit_code(fits: pd.DataFrame, *, interrupted: bool) -> int:
    """Exit code of a run."""
    from bench.analysis.tables import failed

    if interrupted:
        return INTERRUPTED
    if bool(failed(fits).any()):
        return FAILED
    return OK if bool((fits["status"] == "ok").any()) else NOTHING


def show_outcome(
    folder: RunFolder, counts: Mapping[str, int], code: int, *, as_json: bool, report: Report | None
) -> None:
    """The summary table (None: not scored), fits by status, and where the report is."""
    page = folder.path / "report.html" if report else None
    resume = folder.resume_command() if "interrupted" in counts else None
    if as_json:
        paths = {"run": folder.name, "path": folder.path, "fits": counts, "report": page, "resume": resume}
        print_json(paths | {"exit": code})
        return
    if report:
        from bench.present import terminal

        OUT.print(terminal.summary(report))
    OUT.print("fits: " + ", ".join(f"{n} {status}" for status, n in counts.items()))
    OUT.print(f"report: {page}" if page else f"not scored; next: {program.command('score', folder.path)}")
    if resume:
        OUT.print(f"what is missing is made by: {resume}")

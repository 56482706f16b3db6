"""What every verb that makes fits does, whoever asks: run.json, verify, fit, score, report. It prints nothing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import __version__
from bench.catalog import kept
from bench.catalog.places import root
from bench.data import dataset
from bench.disk.durable import described, unwritable, write_bytes
from bench.errors import ClusterError, NoReference, StorageError, UsageError
from bench.measure import host, interrupts, local, run
from bench.measure.bandwidth import bandwidth
from bench.measure.environment import default_threads
from bench.measure.executor import Executor, Wide
from bench.measure.job import Limits
from bench.measure.watchers import Watcher
from bench.plan import Job, Plan
from bench.score import ahead
from bench.store.folder import RunFolder
from bench.store.manifest import Host, Run, run_of
from bench.store.records import now
from bench.types import Scenario
from bench.verify import gate, methods
from bench.words import program

if TYPE_CHECKING:  # a machine that only fits need not have what scoring and reports need
    from bench.analysis.sections import Report
    from bench.analysis.tables import RunTables


REPORTING = (
    "bench.store.tables",
    "bench.store.gathered",
    "pyarrow.dataset",
    "bench.present.markdown",
    "bench.present.html.report",
    "bench.present.terminal",
)
"""What the tables and reports of a run need, pandas among it, some of it late."""
DRAWING = ("bench.present.figures.drawing",)
"""What draws the figures of a report."""


def command_line() -> str:
    """What the user typed, quoted so that it can be typed again."""
    return program.kept(*sys.argv[1:])


@contextmanager
def begun(
    results: Path, name: str | None, plan: Plan, chosen: dict[str, Any], command: str = ""
) -> Iterator[tuple[RunFolder, Run]]:
    """A new run, in which nobody else makes fits meanwhile: its folder and its manifest. Errors as `storage_errors`."""
    folder = RunFolder.create(results, name)
    with storage_errors(folder), folder.held():
        yield folder, start_manifest(folder, plan, chosen, command)


def start_manifest(folder: RunFolder, plan: Plan, chosen: dict[str, Any], command: str = "") -> Run:
    """Write run.json before the first fit, so that a run killed at any moment says what it meant to do.

    Scenarios that no catalog has are copied into the folder. `command` is by default what was typed.
    """
    commit, dirty = host.commit(root())
    description, options = plan.description(), {k: str(v) if isinstance(v, Path) else v for k, v in chosen.items()}
    for scenario in {p.scenario.label: p.scenario for p in plan.cells}.values():
        if not kept.is_catalogued(scenario):
            description["scenarios"][scenario.label]["file"] = kept.keep(scenario, folder.path)
    if "scenario" in options:
        options["scenario"] = list(plan.selectors)
    threads = chosen.get("threads") or default_threads()
    facts = {
        "id": folder.name,
        "command": command or command_line(),
        "started": now(),
        "finished": None,
        "state": "running",
        "bench": __version__,
        "commit": commit,
        "dirty": dirty,
        "host": {**host.facts(), "memory_bandwidth": bandwidth(threads)},
        "versions": host.versions(),
        "threads": threads,
        "seed": plan.seed,
        "options": options,
        **description,
    }
    manifest = run_of(facts)
    folder.write_manifest(manifest)
    return manifest


def fit(
    folder: RunFolder,
    plan: Plan,
    jobs: list[Job],
    limits: Limits,
    manifest: Run,
    watcher: Watcher,
    *,
    score: bool = True,
    executor: Executor | None = None,
    timed: bool = True,
) -> bool:
    """Verify what the jobs need, then make them; False when interrupted. The manifest says what was found.

    `score`: what scoring imports is imported beside the frameworks, before the first fit. `executor` is this machine's
    where none is given; `timed` as in `run.execute`.
    """
    cells = {job.planned.cell.id for job in jobs}
    scoring = ahead.prepare(plan.fits, REPORTING, DRAWING) if score else None
    part = Plan(tuple(p for p in plan.cells if p.cell.id in cells), plan.seed)

    def refused() -> Mapping[str, str]:
        manifest.imports = on.imports()
        _book_slots(manifest, on)
        reasons = verify(folder, part, manifest, watcher.verifies, on)
        _references(part, watcher.verifies)
        if scoring is not None:
            scoring(interrupts.check)
        return reasons

    with nullcontext(executor) if executor is not None else local.Local() as on:
        finished = run.execute(part, folder, limits, watcher, on, refused, jobs, timed=timed)
        _book_slots(manifest, on)
    finish(folder, manifest, finished)
    return finished


def _references(plan: Plan, tick: Callable[[str], None]) -> None:
    """Make the references that fits with a target are judged by: what is dear is kept where children find it.

    A child says for itself why there is none.
    """
    fits: dict[str, tuple[Scenario, int]] = {}
    for p in plan.cells:
        if p.cell.resolved_budget().until and not p.unsupported():
            _, reps = fits.get(p.scenario.label, (p.scenario, 0))
            fits[p.scenario.label] = p.scenario, max(reps, 1 if p.scenario.fixed_data else p.reps * p.rounds)
    for label, (scenario, reps) in fits.items():
        from bench.score.certified import reference_of

        for rep in range(reps):
            interrupts.check()
            tick(f"the reference of {label}")
            with suppress(NoReference):
                reference_of(scenario, dataset(scenario, seed=plan.seed, rep=rep))


def _book_slots(manifest: Run, executor: Executor) -> None:
    """Where slots are, and how many CPUs each has; those of this machine are booked already."""
    from msgspec import convert

    if isinstance(executor, Wide):
        manifest.threads = executor.threads()
        manifest.hosts |= {name: convert(facts, Host) for name, facts in executor.machines().items()}


def verify(
    folder: RunFolder, plan: Plan, manifest: Run, tick: Callable[[str], None], executor: Executor
) -> Mapping[str, str]:
    """Verify the densities that a plan fits and the methods that fit them, and book that in the manifest.

    What is returned are the cells that must not be timed, {id: why}.
    """
    outcomes = gate.verify(gate.pairs_of(plan), tick, executor=executor, fitted=methods.methods_of(plan))
    known = [*(manifest.verified or ()), *outcomes]
    manifest.verified = list({entry.key: entry for entry in known}.values())
    folder.write_manifest(manifest)
    return gate.refused(plan, outcomes)


def finish(folder: RunFolder, manifest: Run, finished: bool) -> None:
    """Book that nothing more will be made now: all there was to do, or what had been done when interrupted."""
    manifest.finished, manifest.state = now(), "finished" if finished else "interrupted"
    folder.write_manifest(manifest)


def score(folder: RunFolder, progress: Callable[[str], None]) -> Report:
    """Score the fits of a run and write its tables and reports; gives back what these show."""
    from bench.score.run import score_run

    score_run(folder, progress)
    progress("writing the report")
    return write_reports(folder)


def write_reports(folder: RunFolder) -> Report:
    """report.md and report.html from the stored tables, into the run's folder."""
    return write_tables(run_tables(folder), folder.path)


def write_tables(tables: RunTables, target: Path) -> Report:
    """The reports of these tables, into a folder that is made where there is none; gives back what they show."""
    from bench.analysis.sections import report
    from bench.present import markdown
    from bench.present.html import report as html

    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write to {target}: {error.strerror}") from None
    shown = report(tables)
    write_bytes(target / "report.md", markdown.render(shown).encode())
    write_bytes(target / "report.html", html.render(shown).encode())
    return shown


def run_tables(folder: RunFolder) -> RunTables:
    """The stored tables as the reports take them."""
    from bench.analysis import hosts
    from bench.analysis.tables import RunTables
    from bench.calibration.beside import ranks_of
    from bench.store import tables

    manifest = folder.manifest()
    stored = tables.read_all(folder, manifest)
    return hosts.apart(RunTables(manifest, *stored, calibrations=ranks_of(folder, manifest)))


@contextmanager
def storage_errors(folder: RunFolder) -> Iterator[None]:
    """Where nothing more can be written, one sentence instead of a traceback: StorageError."""
    try:
        yield
    except ClusterError as error:
        done = "the fits that had finished are kept; what is missing is made by"
        raise ClusterError(f"{error}; {done}: {folder.resume_command()}") from None
    except StorageError as error:
        raise StorageError(_full(folder, str(error))) from None
    except Exception as error:
        if not unwritable(error):
            raise
        why = error.strerror if isinstance(error, OSError) and error.strerror else "No space left on device"
        raise StorageError(_full(folder, f"{why}: {described(folder.path)} takes no more")) from None


def _full(folder: RunFolder, why: str) -> str:
    if not (folder.path / "run.json").is_file():
        shutil.rmtree(folder.path, ignore_errors=True)
        return f"{why}; nothing was run"
    return f"{why}. The fits that had finished are kept; make room, then: {folder.resume_command()}"

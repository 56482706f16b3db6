"""What every verb that makes fits does: verify, fit, score, report, and say what became of it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bench.measure import interrupts

if TYPE_CHECKING:
    from bench.measure.job import Limits
    from bench.measure.run import Watcher
    from bench.plan import Job, Plan
    from bench.store.folder import RunFolder
    from bench.store.manifest import Run

    class Verifier(Watcher, Protocol):
        """Who also wants to see what is verified."""

        def verifies(self, what: str) -> None:
            """Densities that are being verified; called many times a second."""
            ...


def start_manifest(folder: RunFolder, made: Plan, chosen: dict[str, Any]) -> Run:
    """Write run.json before the first fit, so that a run killed at any moment says what it meant to do."""
    from bench import __version__
    from bench.catalog.places import root
    from bench.cli.output import now
    from bench.measure import host
    from bench.measure.environment import default_threads
    from bench.store.manifest import run_of

    commit, dirty = host.commit(root())
    facts = {
        "id": folder.name,
        "command": command_line(),
        "started": now(),
        "finished": None,
        "state": "running",
        "bench": __version__,
        "commit": commit,
        "dirty": dirty,
        "host": host.facts(),
        "versions": host.versions(),
        "threads": chosen.get("threads") or default_threads(),
        "seed": made.seed,
        "options": {k: str(v) if isinstance(v, Path) else v for k, v in chosen.items()},
        **made.description(),
    }
    run = run_of(facts)
    folder.write_manifest(run)
    return run


def command_line() -> str:
    """What the user typed, quoted so that it can be typed again."""
    import shlex

    return shlex.join(["python", "-m", "bench", *sys.argv[1:]])


def make(
    folder: RunFolder,
    made: Plan,
    jobs: list[Job],
    limits: Limits,
    manifest: Run,
    *,
    no_score: bool,
    as_json: bool,
) -> int:
    """Verify, fit, score, report, print; the exit code."""
    from bench.cli import output

    with output.Progress(len(jobs), quiet=as_json) as progress:
        finished = fit(folder, made, jobs, limits, manifest, progress, score=not no_score)
    return conclude(folder, score=not no_score, as_json=as_json, interrupted=not finished)


def fit(
    folder: RunFolder,
    made: Plan,
    jobs: list[Job],
    limits: Limits,
    manifest: Run,
    watcher: Verifier,
    *,
    score: bool = True,
) -> bool:
    """Verify what the jobs need, then make them; False when interrupted. The manifest says what was found.

    `score`: what scoring imports is imported beside the frameworks, before the first fit.
    """
    from bench.cli import output
    from bench.measure import local, run
    from bench.plan import Plan
    from bench.store.manifest import Verified
    from bench.verify import gate

    cells = {job.planned.cell.id for job in jobs}
    scoring = _scoring(made.fits) if score else None
    part = Plan(tuple(p for p in made.cells if p.cell.id in cells), made.seed)

    def refused() -> Mapping[str, str]:
        outcomes = gate.verify(gate.pairs_of(part), watcher.verifies, executor=executor)
        known = [*(manifest.verified or ()), *(Verified(**outcome.description()) for outcome in outcomes)]
        manifest.verified = list({entry.density: entry for entry in known}.values())
        manifest.imports = executor.imports()
        folder.write_manifest(manifest)
        if scoring is not None:
            scoring(interrupts.check)
        return gate.refused(part, outcomes)

    with local.Local() as executor:
        finished = run.execute(part, folder, limits, watcher, executor, refused, jobs)
    manifest.finished, manifest.state = output.now(), "finished" if finished else "interrupted"
    folder.write_manifest(manifest)
    return finished


def _scoring(fits: int) -> Callable[[Callable[[], None]], None]:
    from bench.score.run import prepare  # here: a machine that only fits need not have what scoring needs

    return prepare(fits)


def conclude(folder: RunFolder, *, score: bool, as_json: bool, interrupted: bool) -> int:
    """Score, report, print, and say with which code to exit."""
    from bench.cli import output
    from bench.store import tables

    shown = None
    if score:
        from bench.score.run import score_run  # here: a machine that only fits need not have what scoring needs

        with output.Status("scoring", quiet=as_json) as status:

            def progress(text: str) -> None:
                interrupts.check()
                status.update(text)

            try:
                score_run(folder, progress)
                progress("writing the report")
                shown = output.write_reports(folder)
            except KeyboardInterrupt:
                interrupted = True
    else:
        tables.write(folder, "fits", tables.fits_table(folder))
    output.warn(folder)
    code = output.exit_code(folder, interrupted=interrupted)
    output.show_outcome(folder, code, as_json=as_json, shown=shown)
    return code


@contextmanager
def storage_errors(folder: RunFolder) -> Iterator[None]:
    """Where nothing more can be written, one sentence instead of a traceback: StorageError."""
    from bench.errors import StorageError
    from bench.store.durable import described, unwritable

    try:
        yield
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

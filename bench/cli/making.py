"""What `bench run` shows while fits are made and when they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure import interrupts

if TYPE_CHECKING:
    from bench.measure.job import Limits
    from bench.plan import Job, Plan
    from bench.store.folder import RunFolder
    from bench.store.manifest import Run


def make(
    folder: RunFolder,
    plan: Plan,
    jobs: list[Job],
    limits: Limits,
    manifest: Run,
    *,
    no_score: bool,
    as_json: bool,
) -> int:
    """Verify, fit, score, report, print; the exit code."""
    from bench import pipeline
    from bench.cli import output

    with output.Progress(len(jobs), quiet=as_json) as progress:
        finished = pipeline.fit(folder, plan, jobs, limits, manifest, progress, score=not no_score)
    return conclude(folder, score=not no_score, as_json=as_json, interrupted=not finished)


def conclude(folder: RunFolder, *, score: bool, as_json: bool, interrupted: bool) -> int:
    """Score, report, print, and say with which code to exit."""
    from bench import pipeline
    from bench.cli import output
    from bench.store import tables

    shown = None
    if score:
        with output.Status("scoring", quiet=as_json) as status:

            def progress(text: str) -> None:
                interrupts.check()
                status.update(text)

            try:
                shown = pipeline.score(folder, progress)
            except KeyboardInterrupt:
                interrupted = True
    else:
        tables.write(folder, "fits", tables.fits_table(folder))
    output.warn(folder)
    code = output.exit_code(folder, interrupted=interrupted)
    output.show_outcome(folder, code, as_json=as_json, shown=shown)
    return code

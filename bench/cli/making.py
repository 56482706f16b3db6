"""How `bench run` begins a run and ends it, and what it shows while fits are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from bench import pipeline, plan
from bench.cli import options, output, signals
from bench.cli.progress import RunProgress, Status
from bench.cli.slots import slots
from bench.cli.watching import Watch
from bench.measure.cluster import opening
from bench.measure.executor import Executor
from bench.measure.job import Limits
from bench.plan import Job, Plan
from bench.store.folder import RunFolder
from bench.store.manifest import Run


def begin(chosen: dict[str, Any], *, no_score: bool, dry_run: bool, watch: bool, as_json: bool) -> None:
    """A new run."""
    opening.known(chosen.get("executor"))
    limits = options.limits(chosen)
    planned = plan.make(options.choice(chosen))
    output.warn_broken(planned.broken)
    if dry_run:
        output.show_plan(planned, as_json=as_json)
        return
    results = Path(chosen.get("results", "results"))
    with (
        signals.patience(),
        slots(chosen, planned, limits, quiet=as_json) as executor,
        pipeline.begun(results, chosen.get("name"), planned, chosen) as (folder, manifest),
    ):
        how = {"no_score": no_score, "watch": watch, "as_json": as_json}
        code = make(folder, planned, list(planned.jobs()), limits, manifest, executor, **how)
    raise typer.Exit(code)


def make(
    folder: RunFolder,
    plan: Plan,
    jobs: list[Job],
    limits: Limits,
    manifest: Run,
    executor: Executor | None,
    *,
    no_score: bool,
    watch: bool,
    as_json: bool,
) -> int:
    """Verify, fit, score, report, print; the exit code."""
    with (Watch if watch else RunProgress)(jobs, quiet=as_json) as progress:
        finished = pipeline.fit(folder, plan, jobs, limits, manifest, progress, score=not no_score, executor=executor)
    return conclude(folder, score=not no_score, as_json=as_json, interrupted=not finished)


def conclude(folder: RunFolder, *, score: bool, as_json: bool, interrupted: bool) -> int:
    """Score, report, print, and say with which code to exit."""
    from bench.store import tables  # pandas, which `--no-score` does without while fits are made

    report = None
    if score:
        with Status("scoring", quiet=as_json) as status:
            try:
                report = pipeline.score(folder, status.tick)
            except KeyboardInterrupt:
                interrupted = True
    fits = tables.fits_table(folder)
    if not score:
        tables.write(folder, "fits", fits)
    output.warn(folder)
    code = output.exit_code(fits, interrupted=interrupted)
    counts = {str(k): int(v) for k, v in fits["status"].value_counts().sort_index().items()}
    output.show_outcome(folder, counts, code, as_json=as_json, report=report)
    return code

"""`bench run --resume`: a run that goes on with the options of its beginning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from bench import pipeline
from bench.cli import making, options, output, signals
from bench.cli.slots import slots
from bench.errors import UsageError
from bench.measure import resume as remaining
from bench.measure.cluster import opening
from bench.store.folder import RunFolder

ANEW = ("timeout", "until_limit", "memory", "max_disturbance", "executor")
"""Limits and slots do not change which cells there are, so a resumed run may have others."""


def resume(
    name: str,
    chosen: dict[str, Any],
    *,
    retry: str | None,
    allow_changes: bool,
    no_score: bool,
    dry_run: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """A run that goes on; UsageError where it is asked for other options or could not be like its beginning."""
    if refused := [f"--{k.replace('_', '-')}" for k in chosen if k not in (*ANEW, "results")]:
        allowed = ", ".join(f"--{k.replace('_', '-')}" for k in ANEW)
        raise UsageError(
            f"{', '.join(refused)}: a resumed run has its options from its beginning; leave out all but {allowed}"
        )
    if retry is not None:
        options.word("retry", retry, tuple(remaining.RETRY))
    folder = RunFolder.open(Path(chosen.pop("results", "results")), name)
    manifest = folder.manifest()
    if manifest.ab:
        raise UsageError(
            f"{folder.path} is one side of `bench ab`, which measures both sides in turn: start that again"
        )
    if not folder.at_work():
        folder.mend()
    chosen = {**(manifest.options or {}), **chosen}
    limits, executor = options.limits(chosen), opening.known(chosen.get("executor"))
    plan = remaining.plan_of(manifest, folder.path)
    jobs = remaining.missing(folder, plan, retry)
    output.warn(folder)
    changes = remaining.changes(manifest, jobs, in_slots=executor != opening.LOCAL)
    if changes and not allow_changes:
        raise UsageError(
            f"{folder.path} cannot go on, since its fits would not be alike: {'; '.join(changes)}; "
            "--allow-changes makes them nevertheless, a new run makes all of them alike"
        )
    if dry_run:
        output.show_jobs(folder, jobs, as_json=as_json)
        return
    with (
        signals.patience(),
        slots(chosen if jobs else {}, plan, limits, quiet=as_json) as on,
        pipeline.storage_errors(folder),
        folder.held(),
    ):
        folder.tidy()
        folder.damage.clear()
        remaining.note(manifest, jobs, changes, pipeline.command_line())
        folder.write_manifest(manifest)
        how = {"no_score": no_score, "watch": watch, "as_json": as_json}
        code = making.make(folder, plan, jobs, limits, manifest, on, **how)
    raise typer.Exit(code)

"""How `bench calibrate` begins or resumes a study, makes its fits and judges them."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import typer

from bench import pipeline, plan
from bench.calibration import study
from bench.calibration.verdict import MIN_DATASETS, RECOMMENDED, Verdict, judge
from bench.cli import FAILED, INTERRUPTED, NOTHING, OK, options, output, signals
from bench.cli.progress import CalibrationProgress, Status
from bench.cli.slots import slots
from bench.errors import UsageError
from bench.measure import local, resume
from bench.measure.job import Limits
from bench.plan import Plan
from bench.store.folder import CalibrationFolder
from bench.store.manifest import CalibrationRun, calibration_of
from bench.types import BAD_STATUSES

Begun = tuple[CalibrationFolder, Plan, CalibrationRun]


def start(results: Path, chosen: dict[str, Any]) -> Begun:
    """A new folder with its manifest, written before the first fit; UsageError."""
    planned = _plan(chosen)
    output.warn_broken(planned.broken)
    folder = CalibrationFolder.create(results, chosen.get("name"))
    run = pipeline.start_manifest(folder, planned, chosen)
    digests = {p.cell.id: (p.scenario.digest, p.backend.digest) for p in planned.cells}
    manifest = calibration_of(run, chosen.get("datasets", RECOMMENDED), digests)
    folder.write_manifest(manifest)
    return folder, planned, manifest


def go_on(results: Path, name: str, chosen: dict[str, Any]) -> Begun:
    """A calibration that goes on; UsageError where options are named anew or what it measures has changed."""
    if chosen:
        named = ", ".join(f"--{k}" for k in chosen)
        raise UsageError(f"{named}: a resumed calibration has its options from its beginning; leave them out")
    folder = CalibrationFolder.open(results, name)
    manifest = folder.manifest()
    planned = _plan(manifest.options or {}, folder.path)
    if changes := _changes(folder, planned, manifest):
        raise UsageError(f"{folder.path} cannot go on, since its fits would not be alike: {'; '.join(changes)}")
    manifest.state = "running"
    folder.write_manifest(manifest)
    return folder, planned, manifest


def _plan(chosen: dict[str, Any], along: Path | None = None) -> Plan:
    datasets = options.integer("datasets", chosen.get("datasets"), MIN_DATASETS) or RECOMMENDED
    if not chosen.get("scenario") or not chosen.get("backend"):
        raise UsageError("calibrate needs scenarios and backends, as in: bench calibrate -s s0-uniform -b numpyro.nuts")
    return plan.make(options.choice({**chosen, "reps": datasets, "rounds": 1}), along)


def _changes(folder: CalibrationFolder, plan: Plan, manifest: CalibrationRun) -> list[str]:
    """What has changed since its beginning that could change a fit; nothing where no fit is missing."""
    stored = {p.cell.id: study.trials(folder, p.cell.id, manifest.datasets) for p in plan.cells}
    if all(len(trials) == manifest.datasets for trials in stored.values()):
        return []
    changes = [] if set(manifest.digests) == set(stored) else ["its selection means other cells now"]
    for p in plan.cells:
        if p.cell.id in manifest.digests:
            changes += resume.sources(p, *manifest.digests[p.cell.id])
        try:
            study.check_same_data(p, stored[p.cell.id], plan.seed)
        except UsageError as error:
            changes.append(str(error))
    return list(dict.fromkeys([*changes, *resume.versions(manifest).values()]))


def make(begun: Begun, limits: Limits, executor: str | None, *, as_json: bool) -> None:
    """Fit what is missing, judge, report; exits with the code of the outcome."""
    folder, planned, manifest = begun
    chosen = {"executor": executor, "threads": (manifest.options or {}).get("threads")}
    if not as_json:
        from bench.calibration import power  # scipy

        output.ERR.print(power.statement(manifest.datasets))
    progress = CalibrationProgress(planned, manifest.datasets, quiet=as_json)
    with (
        pipeline.storage_errors(folder),
        signals.patience(),
        slots(chosen, planned, limits, quiet=as_json) as wide,
        nullcontext(wide) if wide is not None else local.Local() as on,
        progress,
    ):
        finished = study.Study(planned, manifest.datasets, folder, limits, progress, on).run()
    pipeline.finish(folder, manifest, finished)
    raise typer.Exit(conclude(begun, as_json=as_json, interrupted=not finished))


def conclude(begun: Begun, *, as_json: bool, interrupted: bool) -> int:
    """Judge, write tables, pictures and reports, print, and say with which code to exit."""
    from bench.cli import calibration_output  # pandas

    folder, planned, manifest = begun
    entries = {entry.id: entry for entry in manifest.cells}
    with Status("judging the ranks", quiet=as_json) as status:
        judged = []
        for p in planned.cells:
            trials = study.trials(folder, p.cell.id, manifest.datasets)
            refused = study.refusal(p, planned.seed)
            judged.append((judge(entries[p.cell.id], manifest.datasets, trials, refused), trials))
        status.update("writing tables, pictures and the report")
        report = calibration_output.write(folder, manifest, judged)
    code = INTERRUPTED if interrupted else exit_code(planned, [verdict for verdict, _ in judged])
    calibration_output.show(folder, report, code, as_json=as_json)
    return code


def exit_code(plan: Plan, verdicts: list[Verdict]) -> int:
    """3 where some cell is not shown to be calibrated or lost data sets, 4 where none was fitted."""
    refused = {"unsupported", "unavailable"}
    for planned, verdict in zip(plan.cells, verdicts, strict=True):
        if verdict.state in refused and not planned.explicit:
            continue
        if verdict.state != "calibrated" or set(verdict.fits.counts) & BAD_STATUSES:
            return FAILED
    return OK if any(v.fits.ok for v in verdicts) else NOTHING

"""`bench calibrate`: truths from the prior, fits of their data, ranks, verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import options

if TYPE_CHECKING:
    from bench.calibration.trial import Trial
    from bench.calibration.verdict import Verdict
    from bench.plan import Plan
    from bench.store.folder import CalibrationFolder
    from bench.store.manifest import CalibrationRun

FIXED = ("scenario", "backend", "datasets", "budget", "track", "dtype", "device", "seed", "threads", "name")
"""Options that a resumed calibration has from its beginning."""
DATASETS = 200


def calibrate(
    scenario: options.Scenarios = None,
    backend: options.Backends = None,
    datasets: Annotated[int | None, typer.Option(help="Simulated data sets per cell. [default: 200]")] = None,
    budget: options.Budget = None,
    track: options.Track = None,
    dtype: options.Dtype = None,
    device: options.Device = None,
    threads: options.Threads = None,
    seed: options.Seed = None,
    timeout: Annotated[
        float | None,
        typer.Option(help="Seconds per data set; the first with import and compilation. [default: the budget's]"),
    ] = None,
    memory: options.Memory = None,
    results: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("results"),
    name: Annotated[str | None, typer.Option(help="Name of this calibration. [default: its date and time]")] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="NAME", help="Go on with an interrupted calibration, by name or path.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON on stdout.")] = False,
) -> None:
    """Simulation-based calibration: do a backend's posteriors hold the truth as often as they say?

    Truths are drawn from the scenario's prior, data from the model at those truths. Every backend fits the same data
    sets, with one program that is compiled once. Ranks of the truths are tested for uniformity (ECDF with exact
    simultaneous bands), intervals for coverage.

    \b
    Examples:
      bench calibrate -s s0-uniform -b numpyro.nuts                  200 data sets
      bench calibrate -s s0-uniform -b 'torch.metropolis[draws=5000]' -b pyro.svi
      bench calibrate -s 'correlated-*' -b 'numpyro.*' --datasets 500 --budget standard --name night
      bench calibrate --resume night                                 after Ctrl-C or a crash

    \b
    Writes results/NAME/: calibration.html and .md, plots, and two tables as Parquet and CSV: calibration (rank and
    intervals per data set and quantity) and datasets (how each fit ended).

    \b
    Exit codes: 0 every backend is calibrated, as far as so many data sets can tell · 2 usage · 3 some backend is
    miscalibrated, gave too few effective draws to tell, or has fits that failed, crashed, timed out or were invalid
    (unsupported and unavailable count only when named without a glob) · 4 nothing ran · 130 interrupted.
    A calibrated backend is called miscalibrated with a chance of 1 %.
    """
    given = {k: v for k, v in locals().items() if k in FIXED and v not in (None, [])}
    _execute(given, timeout=timeout, memory=memory, results=results, resume=resume, as_json=json_)


def _execute(
    given: dict[str, Any],
    *,
    timeout: float | None,
    memory: str | None,
    results: Path,
    resume: str | None,
    as_json: bool,
) -> None:
    from bench import pipeline
    from bench.calibration import study
    from bench.cli import options, signals
    from bench.cli.calibration_output import Progress
    from bench.measure import local

    limits = options.limits({"timeout": timeout} | ({"memory": memory} if memory else {}))
    folder, plan, manifest = _resumed(results, resume, given) if resume else _started(results, given)
    datasets = manifest.datasets
    with signals.patience(), Progress(plan, datasets, quiet=as_json) as progress, local.Local() as executor:
        finished = study.Study(plan, datasets, folder, limits, progress, executor).run()
    pipeline.finish(folder, manifest, finished)
    raise typer.Exit(conclude(folder, plan, manifest, as_json=as_json, interrupted=not finished))


def _started(results: Path, given: dict[str, Any]) -> tuple[CalibrationFolder, Plan, CalibrationRun]:
    """A new folder with its manifest, written before the first fit; UsageError."""
    from bench.pipeline import start_manifest
    from bench.store.folder import CalibrationFolder
    from bench.store.manifest import calibration_of

    plan = _plan(given)
    folder = CalibrationFolder.create(results, given.get("name"))
    run = start_manifest(folder, plan, given)
    manifest = calibration_of(run, given.get("datasets", DATASETS), _digests(plan))
    folder.write_manifest(manifest)
    return folder, plan, manifest


def _plan(given: dict[str, Any]) -> Plan:
    from bench.calibration.verdict import MIN_DATASETS
    from bench.cli.options import whole
    from bench.errors import UsageError
    from bench.plan import make

    datasets = whole("datasets", given.get("datasets"), MIN_DATASETS) or DATASETS
    if not given.get("scenario") or not given.get("backend"):
        raise UsageError("calibrate needs scenarios and backends, as in: bench calibrate -s s0-uniform -b numpyro.nuts")
    return make(options.choice({k: v for k, v in given.items() if k in FIXED} | {"reps": datasets, "rounds": 1}))


def _digests(plan: Plan) -> dict[str, tuple[str, str]]:
    """{cell: [scenario digest, backend digest]}."""
    return {p.cell.id: (p.scenario.digest, p.backend.digest) for p in plan.cells}


def _resumed(results: Path, name: str, given: dict[str, Any]) -> tuple[CalibrationFolder, Plan, CalibrationRun]:
    """A calibration that goes on; UsageError where options are given anew or what it measures has changed."""
    from bench.errors import UsageError
    from bench.store.folder import CalibrationFolder

    if given:
        named = ", ".join(f"--{k}" for k in given)
        raise UsageError(f"{named}: a resumed calibration has its options from its beginning; leave them out")
    folder = CalibrationFolder.open(results, name)
    manifest = folder.manifest()
    plan = _plan(manifest.options or {})
    changes = _changes(folder, plan, manifest)
    if changes:
        raise UsageError(f"{folder.path} cannot go on, since its fits would not be alike: {'; '.join(changes)}")
    manifest.state = "running"
    folder.write_manifest(manifest)
    return folder, plan, manifest


def _changes(folder: CalibrationFolder, plan: Plan, manifest: CalibrationRun) -> list[str]:
    """What has changed since its beginning that could change a fit; nothing where no fit is missing."""
    from bench.calibration import study
    from bench.errors import UsageError
    from bench.measure.resume import versions

    datasets = manifest.datasets
    stored = {p.cell.id: study.trials(folder, p.cell.id, datasets) for p in plan.cells}
    if all(len(t) == datasets for t in stored.values()):
        return []
    before, now = manifest.digests, _digests(plan)
    changes = [] if set(before) == set(now) else ["its selection means other cells now"]
    for p in plan.cells:
        old, new = before.get(p.cell.id, now[p.cell.id]), now[p.cell.id]
        changes += [f"the file of scenario {p.cell.scenario} has changed"] if old[0] != new[0] else []
        changes += [f"the source of backend {p.cell.backend} has changed"] if old[1] != new[1] else []
        try:
            study.check_same_data(p, stored[p.cell.id], plan.seed)
        except UsageError as error:
            changes.append(str(error))
    return list(dict.fromkeys([*changes, *versions(manifest).values()]))


def conclude(
    folder: CalibrationFolder, plan: Plan, manifest: CalibrationRun, *, as_json: bool, interrupted: bool
) -> int:
    """Judge, write tables, pictures and reports, print, and say with which code to exit."""
    from bench.calibration import study
    from bench.calibration.verdict import judge
    from bench.cli import calibration_output, output

    datasets = manifest.datasets
    entries = {entry.id: entry for entry in manifest.cells}
    with output.Status("judging the ranks", quiet=as_json) as status:
        judged: list[tuple[Verdict, list[Trial]]] = []
        for planned in plan.cells:
            trials = study.trials(folder, planned.cell.id, datasets)
            refused = study.refusal(planned, plan.seed)
            judged.append((judge(entries[planned.cell.id], datasets, trials, refused), trials))
        status.update("writing tables, pictures and the report")
        report = calibration_output.write(folder, manifest, judged)
    code = 130 if interrupted else exit_code(plan, [verdict for verdict, _ in judged])
    calibration_output.show(folder, report, code, as_json=as_json)
    return code


def exit_code(plan: Plan, verdicts: list[Verdict]) -> int:
    """3 where some cell is not shown to be calibrated or lost data sets, 4 where none was fitted."""
    from bench.types import BAD_STATUSES

    refused = {"unsupported", "unavailable"}
    for planned, verdict in zip(plan.cells, verdicts, strict=True):
        if verdict.state in refused and not planned.explicit:
            continue
        if verdict.state != "calibrated" or set(verdict.fits.counts) & BAD_STATUSES:
            return 3
    return 0 if any(v.fits.ok for v in verdicts) else 4

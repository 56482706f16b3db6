"""`bench run`: plan, run, score, report."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from bench import interrupts
from bench.cli import signals

if TYPE_CHECKING:
    from bench.plan import Choice, Job, Plan
    from bench.runner.job import Limits
    from bench.runner.servers import Servers
    from bench.store.folder import RunFolder

Names = Annotated[list[str] | None, typer.Option(metavar="NAME[k=v,…]")]
CONFIG = {
    "scenario": list, "backend": list, "suite": str, "budget": str, "track": str, "device": str, "dtype": str,
    "reps": int, "rounds": int, "seed": int, "threads": int, "timeout": float, "memory": str, "max_disturbance": float,
    "results": str,
    "name": str,
}  # fmt: skip


def run(
    scenario: Annotated[
        list[str] | None,
        typer.Option("--scenario", "-s", metavar="NAME[k=v,…]", help="Scenario name or glob; a list value sweeps."),
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option("--backend", "-b", metavar="NAME[k=v,…]", help="Backend name or glob, with its options."),
    ] = None,
    suite: Annotated[str | None, typer.Option(help="A named list of scenario × backend. [default: quick]")] = None,
    budget: Annotated[str | None, typer.Option(help="quick, standard or thorough. [default: quick]")] = None,
    track: Annotated[
        str | None,
        typer.Option(help="matched (same settings for all) or defaults (as each framework ships). [default: matched]"),
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or auto. [default: cpu]")] = None,
    dtype: Annotated[
        str | None,
        typer.Option(help="float64 or float32. [default: float64; on the track defaults the framework's own]"),
    ] = None,
    reps: Annotated[int | None, typer.Option(help="Fits per child process; the first is cold.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Child processes per cell, in interleaved order.")] = None,
    seed: Annotated[int | None, typer.Option(help="Root of every seed. [default: 0]")] = None,
    threads: Annotated[int | None, typer.Option(help="CPUs per child. [default: all usable]")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds per child. [default: the budget's]")] = None,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="Resident memory per child, such as 4G.")] = None,
    max_disturbance: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Repeat a child, twice at most, while others have more of its CPUs' time."),
    ] = None,
    results: Annotated[Path | None, typer.Option(help="Folder of the runs. [default: results]")] = None,
    name: Annotated[str | None, typer.Option(help="Name of this run. [default: its date and time]")] = None,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh", help="Every child an interpreter of its own, not forked where its framework is imported."
        ),
    ] = False,
    reuse_compiled: Annotated[
        bool,
        typer.Option(
            "--reuse-compiled", help="Compile a cell in its first round only; later ones have no cold seconds."
        ),
    ] = False,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Make what a run lacks, with the options it has."),
    ] = None,
    retry: Annotated[
        str | None,
        typer.Option(metavar="failed|timeout|all", help="With --resume: make again the fits that ended so, too."),
    ] = None,
    allow_changes: Annotated[
        bool,
        typer.Option(
            "--allow-changes", help="With --resume: go on although sources, versions or the machine have changed."
        ),
    ] = False,
    config: Annotated[Path | None, typer.Option(help="TOML file of these options; the command line wins.")] = None,
    no_score: Annotated[bool, typer.Option("--no-score", help="Fit only; `bench score RUN` later.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON on stdout.")] = False,
) -> None:
    """Fit every scenario × backend of a selection, score the fits, write tables and a report.

    Before the first fit every framework's log density is verified as `bench verify` does it, unless that is known from
    an earlier run; fits of a wrong target are not timed, their rows say `invalid`.

    \b
    Examples:
      bench run                                          the quick suite, a few minutes
      bench run -s s0-uniform                            one scenario with the quick suite's backends
      bench run -s 's4-*' -b 'torch.*' -b numpy.gd       globs
      bench run -s 'correlated-rho95[n_obs=[100,1000]]' -b numpyro.nuts    a sweep
      bench run -s s0-uniform -b 'torch.adam[lr=0.05,steps=5000]' --reps 3 --rounds 5
      bench run --max-disturbance 0.1                    make children again that had to share their CPUs
      bench run --suite sources --dry-run                what would run
      bench run --resume latest                          what is missing after Ctrl-C, a crash or a full disk
      bench run --resume latest --retry failed           and what failed, crashed, was invalid or lacked memory

    \b
    Ctrl-C once ends the cell at work, and writes tables and a report of what there is; twice stops at once. A resumed
    run has its options from its beginning; only --timeout, --memory and --max-disturbance may be given anew. A round of
    a cell that was broken off is made again as a whole, for its warm fits need the cold one of the same child.

    \b
    Exit codes: 0 ok · 2 usage · 3 some fit failed, crashed, timed out, ran out of memory or was invalid,
    or the disk is full · 4 nothing ran · 130 interrupted.
    """
    from bench.cli import options
    from bench.errors import UsageError

    given = {k: v for k, v in locals().items() if k in CONFIG and v not in (None, [])}
    how = {"no_score": no_score, "dry_run": dry_run, "as_json": json_}
    if resume is not None:
        given |= {k: v for k, v in {"fresh": fresh, "reuse_compiled": reuse_compiled, "config": config}.items() if v}
        _resume(resume, given, retry=retry, allow_changes=allow_changes, **how)
        return
    if retry is not None or allow_changes:
        raise UsageError(
            f"--{'retry' if retry else 'allow-changes'} needs a run: --resume RUN, such as --resume latest"
        )
    merged = {**options.config(config, CONFIG), **given}
    merged |= {"fresh": fresh, "reuse_compiled": reuse_compiled}
    _begin(merged, **how)


def _begin(chosen: dict[str, Any], *, no_score: bool, dry_run: bool, as_json: bool) -> None:
    """A new run."""
    from bench import plan
    from bench.cli import output
    from bench.store.folder import RunFolder

    limits = limits_of(chosen)
    made = plan.make(choice(chosen))
    if dry_run:
        output.show_plan(made, as_json=as_json)
        return
    folder = RunFolder.create(Path(chosen.get("results", "results")), chosen.get("name"))
    with storage_errors(folder), signals.patience(), folder.held():
        manifest = start_manifest(folder, made, chosen)
        code = _make(folder, made, list(made.jobs()), limits, manifest, no_score=no_score, as_json=as_json)
    raise typer.Exit(code)


ANEW = ("timeout", "memory", "max_disturbance")
"""Limits do not change which cells there are, so a resumed run may have others."""


def _resume(
    name: str,
    given: dict[str, Any],
    *,
    retry: str | None,
    allow_changes: bool,
    no_score: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """A run that goes on; UsageError where it is given other options or could not be like its beginning."""
    from bench import resume
    from bench.cli import output
    from bench.cli.options import word
    from bench.errors import UsageError
    from bench.store.folder import RunFolder

    if refused := [f"--{k.replace('_', '-')}" for k in given if k not in (*ANEW, "results")]:
        allowed = ", ".join(f"--{k.replace('_', '-')}" for k in ANEW)
        raise UsageError(
            f"{', '.join(refused)}: a resumed run has its options from its beginning; leave out all but {allowed}"
        )
    if retry is not None:
        word("retry", retry, tuple(resume.RETRY))
    folder = RunFolder.open(Path(given.pop("results", "results")), name)
    manifest = folder.manifest()
    if "ab" in manifest:
        raise UsageError(
            f"{folder.path} is one side of `bench ab`, which measures both sides in turn: start that again"
        )
    limits = limits_of({**manifest.get("options", {}), **given})
    made = resume.plan_of(manifest, folder.path)
    jobs = resume.missing(folder, made, retry)
    output.warn(folder)
    found = resume.changes(manifest, jobs)
    if found and not allow_changes:
        raise UsageError(
            f"{folder.path} cannot go on, since its fits would not be alike: {'; '.join(found)}; "
            "--allow-changes makes them nevertheless, a new run makes all of them alike"
        )
    if dry_run:
        output.show_jobs(folder, jobs, as_json=as_json)
        return
    with storage_errors(folder), signals.patience(), folder.held():
        folder.tidy()
        folder.damage.clear()
        resume.note(manifest, jobs, found)
        folder.write_manifest(manifest)
        code = _make(folder, made, jobs, limits, manifest, no_score=no_score, as_json=as_json)
    raise typer.Exit(code)


def limits_of(chosen: dict[str, Any]) -> Limits:
    """What a child may take, and how it is made; UsageError."""
    from bench.cli import options
    from bench.runner.job import Limits

    return Limits(
        timeout=positive("timeout", chosen.get("timeout")),
        memory=options.size(chosen["memory"]) if "memory" in chosen else None,
        fresh=bool(chosen.get("fresh")),
        reuse=bool(chosen.get("reuse_compiled")),
        disturbance=positive("max-disturbance", chosen.get("max_disturbance")),
    )


def _make(
    folder: RunFolder,
    made: Plan,
    jobs: list[Job],
    limits: Limits,
    manifest: dict[str, Any],
    *,
    no_score: bool,
    as_json: bool,
) -> int:
    """Verify, fit, score, report, print; the exit code."""
    from bench.cli import output
    from bench.plan import Plan
    from bench.runner import local
    from bench.verify import gate

    cells = {job.planned.cell.id for job in jobs}
    part = Plan(tuple(p for p in made.cells if p.cell.id in cells), made.seed)
    with output.Progress(len(jobs), quiet=as_json) as progress:

        def refused(servers: Servers) -> Mapping[str, str]:
            outcomes = gate.verify(gate.pairs_of(part), progress.verifies, servers=servers)
            before = {_density(o): o for o in manifest.get("verified", [])}
            known = before | {_density(o): o for o in (outcome.description() for outcome in outcomes)}
            manifest["verified"] = list(known.values())
            manifest["imports"] = servers.imports()
            folder.write_manifest(manifest)
            return gate.refused(part, outcomes)

        finished = local.execute(part, folder, limits, progress, refused, jobs)
    manifest["finished"], manifest["state"] = output.now(), "finished" if finished else "interrupted"
    folder.write_manifest(manifest)
    return conclude(folder, score=not no_score, as_json=as_json, interrupted=not finished)


def _density(outcome: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(outcome.get(k) for k in ("framework", "scenario", "dtype", "device"))


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


def choice(chosen: dict[str, Any]) -> Choice:
    """The user's options as a Choice, checked; UsageError."""
    from bench.cli.options import whole, word
    from bench.plan import Choice

    return Choice(
        scenarios=chosen.get("scenario", []),
        backends=chosen.get("backend", []),
        suite=chosen.get("suite"),
        budget=chosen.get("budget"),
        track=cast(Any, word("track", chosen.get("track", "matched"), ("matched", "defaults"))),
        device=cast(Any, word("device", chosen.get("device", "cpu"), ("cpu", "cuda", "auto"))),
        dtype=cast(Any, word("dtype", chosen["dtype"], ("float64", "float32")) if "dtype" in chosen else None),
        reps=whole("reps", chosen.get("reps"), 1),
        rounds=whole("rounds", chosen.get("rounds"), 1),
        seed=whole("seed", chosen.get("seed"), 0) or 0,
        threads=whole("threads", chosen.get("threads"), 1),
    )


def start_manifest(folder: RunFolder, made: Plan, chosen: dict[str, Any]) -> dict[str, Any]:
    """Write run.json before the first fit, so that a run killed at any moment says what it meant to do."""
    from bench import __version__, host
    from bench.catalog.places import root
    from bench.cli.output import now
    from bench.runner.environment import default_threads

    commit, dirty = host.commit(root())
    manifest: dict[str, Any] = {
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
    folder.write_manifest(manifest)
    return manifest


def command_line() -> str:
    """What the user typed, quoted so that it can be typed again."""
    import shlex

    return shlex.join(["python", "-m", "bench", *sys.argv[1:]])


def conclude(folder: RunFolder, *, score: bool, as_json: bool, interrupted: bool) -> int:
    """Score, report, print, and say with which code to exit."""
    from bench.cli import output
    from bench.store import tables

    shown = None
    if score:
        from bench.scoring import score_run  # here: a machine that only fits need not have what scoring needs

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
    output.show_outcome(folder, code, as_json=as_json, tables=shown)
    return code


def positive(name: str, value: float | None) -> float | None:
    """A number above 0, or None; UsageError."""
    from bench.errors import UsageError

    if value is not None and not 0 < value <= 1e9:
        raise UsageError(f"--{name} {value} is not allowed; above 0 and at most 1e9")
    return value

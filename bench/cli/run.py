"""`bench run`: plan, run, score, report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from bench.plan import Choice, Plan
    from bench.store.folder import RunFolder

Names = Annotated[list[str] | None, typer.Option(metavar="NAME[k=v,…]")]
CONFIG = {
    "scenario": list, "backend": list, "suite": str, "budget": str, "track": str, "device": str, "dtype": str,
    "reps": int, "rounds": int, "seed": int, "threads": int, "timeout": float, "memory": str, "results": str,
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
    results: Annotated[Path | None, typer.Option(help="Folder of the runs. [default: results]")] = None,
    name: Annotated[str | None, typer.Option(help="Name of this run. [default: its date and time]")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of these options; the command line wins.")] = None,
    no_score: Annotated[bool, typer.Option("--no-score", help="Fit only; `bench score RUN` later.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON on stdout.")] = False,
) -> None:
    """Fit every scenario × backend of a selection, score the fits, write tables and a report.

    \b
    Examples:
      bench run                                          the quick suite, a few minutes
      bench run -s s0-uniform                            one scenario with the quick suite's backends
      bench run -s 's4-*' -b 'torch.*' -b numpy.gd       globs
      bench run -s 'correlated-rho95[n_obs=[100,1000]]' -b numpyro.nuts    a sweep
      bench run -s s0-uniform -b 'torch.adam[lr=0.05,steps=5000]' --reps 3 --rounds 5
      bench run --suite sources --dry-run                what would run

    \b
    Exit codes: 0 ok · 2 usage · 3 some fit failed, crashed, timed out, ran out of memory or was invalid
    · 4 nothing ran · 130 interrupted.
    """
    from bench.cli import options

    given = {k: v for k, v in locals().items() if k in CONFIG and v not in (None, [])}
    merged = {**options.config(config, CONFIG), **given}
    _execute(merged, no_score=no_score, dry_run=dry_run, as_json=json_)


def _execute(chosen: dict[str, Any], *, no_score: bool, dry_run: bool, as_json: bool) -> None:
    from bench import plan
    from bench.cli import options, output
    from bench.runner import local
    from bench.store.folder import RunFolder

    limits = local.Limits(
        timeout=_positive("timeout", chosen.get("timeout")),
        memory=options.size(chosen["memory"]) if "memory" in chosen else None,
    )
    made = plan.make(choice(chosen))
    if dry_run:
        output.show_plan(made, as_json=as_json)
        return
    folder = RunFolder.create(Path(chosen.get("results", "results")), chosen.get("name"))
    manifest = start_manifest(folder, made, chosen)
    with output.Progress(made, quiet=as_json) as progress:
        finished = local.execute(made, folder, limits, progress)
    manifest["finished"], manifest["state"] = output.now(), "finished" if finished else "interrupted"
    folder.write_manifest(manifest)
    raise typer.Exit(conclude(folder, made, score=not no_score, as_json=as_json, interrupted=not finished))


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


def conclude(folder: RunFolder, made: Plan, *, score: bool, as_json: bool, interrupted: bool) -> int:
    """Score, report, print, and say with which code to exit."""
    from bench.cli import output
    from bench.store import tables

    shown = None
    if score:
        from bench.scoring import score_run  # here: a machine that only fits need not have what scoring needs

        with output.Status("scoring", quiet=as_json) as status:
            score_run(folder, status.update)
            status.update("writing the report")
            shown = output.write_reports(folder)
    else:
        tables.write(folder, "fits", tables.fits_table(folder))
    code = output.exit_code(folder, interrupted=interrupted)
    output.show_outcome(folder, code, as_json=as_json, tables=shown)
    return code


def _positive(name: str, value: float | None) -> float | None:
    from bench.errors import UsageError

    if value is not None and not value > 0:
        raise UsageError(f"--{name} {value} is not allowed; above 0")
    return value

"""`bench run`: plan, run, score, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options
from bench.errors import UsageError

CONFIG = {
    "scenario": list, "backend": list, "suite": str, "budget": str, "track": str, "device": str, "dtype": str,
    "reps": int, "rounds": int, "seed": int, "threads": int, "timeout": float, "memory": str, "max_disturbance": float,
    "until": float, "until_limit": float, "results": str,
    "name": str, "executor": str,
}  # fmt: skip


def run(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH.toml[k=v,…]]…", help="Scenario files, wherever they are; as -s PATH.toml."),
    ] = None,
    scenario: options.Scenarios = None,
    backend: options.Backends = None,
    suite: Annotated[str | None, typer.Option(help="A named list of scenario × backend. [default: quick]")] = None,
    budget: options.Budget = None,
    track: options.Track = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    reps: Annotated[int | None, typer.Option(help="Fits per child process; the first is cold.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Child processes per cell, in interleaved order.")] = None,
    seed: options.Seed = None,
    threads: options.Threads = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds per child. [default: the budget's]")] = None,
    memory: options.Memory = None,
    max_disturbance: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Repeat a child, twice at most, while others have more of its CPUs' time."),
    ] = None,
    until: Annotated[
        float | None,
        typer.Option(metavar="ERROR", help="Run each fit until every b² is below this, instead of the budget's draws."),
    ] = None,
    until_limit: Annotated[
        float | None,
        typer.Option(metavar="S", help="With --until: seconds of a fit. [default: the budget's timeout over its fits]"),
    ] = None,
    results: Annotated[Path | None, typer.Option(help="Folder of the runs. [default: results]")] = None,
    name: Annotated[str | None, typer.Option(help="Name of this run. [default: its date and time]")] = None,
    executor: options.Executor = None,
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
    config: options.ConfigFile = None,
    no_score: Annotated[bool, typer.Option("--no-score", help="Fit only; `bench score RUN` later.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Keep a table of all cells on the terminal.")] = False,
    json_: options.OutcomeJson = False,
) -> None:
    """Fit every scenario × backend of a selection, score the fits, write tables and a report.

    Before the first fit every framework's log density is verified as `bench verify` does it, unless that is known from
    an earlier run; fits of a wrong target are not timed, their rows say `invalid`.

    \b
    Examples:
      bench run                                          the quick suite, a few minutes
      bench run -s s0-uniform                            one scenario with the quick suite's backends
      bench run mine.toml -b 'torch.*' -b numpyro.nuts    a scenario of your own, its data beside it
      bench run -s 's4-*' -b 'torch.*' -b numpy.gd       globs
      bench run -s 'correlated-rho95[n_obs=[100,1000]]' -b numpyro.nuts    a sweep
      bench run -s s0-uniform -b 'torch.adam[lr=0.05,steps=5000]' --reps 3 --rounds 5
      bench run --max-disturbance 0.1                    make children again that had to share their CPUs
      bench run --suite sources --dry-run                what would run
      bench run --suite tiny --watch                     a table of all cells meanwhile
      bench run --until 0.01 --suite classic --rounds 3  how long each takes to this error, measured
      bench run --suite standard --executor dask         one fit per core at a time, each on cores of its own
      bench run --suite standard --executor slurm.toml   on many machines; also tcp://scheduler:8786
      bench run --resume latest                          what is missing after Ctrl-C, a crash or a full disk
      bench run --resume latest --retry failed           and what failed, crashed, was invalid or lacked memory

    \b
    Ctrl-C once ends the cell at work, and writes tables and a report of what there is; twice stops at once. A resumed
    run has its options from its beginning; only --timeout, --until-limit, --memory, --max-disturbance and --executor
    may be given anew. A round of a cell that was broken off is made again as a whole, for its warm fits need the cold
    one of the same child.

    \b
    With --until an optimiser and VI stop at the error, or where their steps end; a sampler goes on in blocks of draws
    from where it is, if its backend can (`bench info NAME` says so). The error is that against the reference, b2_max;
    looking at it is not timed. A fit that has not met it within --until-limit says so.

    \b
    Exit codes: 0 ok · 2 usage · 3 some fit failed, crashed, timed out, ran out of memory or was invalid,
    or the disk is full · 4 nothing ran · 130 interrupted.
    """
    chosen = options.named(locals(), CONFIG)
    if files:
        chosen["scenario"] = [*chosen.get("scenario", []), *map(options.scenario_file, files)]
    child = {"fresh": fresh, "reuse_compiled": reuse_compiled}
    how = {"no_score": no_score, "dry_run": dry_run, "watch": watch, "as_json": json_}

    from bench.cli import making, resuming  # numpy, which the help page does without

    if resume is not None:
        chosen |= {k: v for k, v in {**child, "config": config}.items() if v}
        resuming.resume(resume, chosen, retry=retry, allow_changes=allow_changes, **how)
    elif retry is not None or allow_changes:
        raise UsageError(
            f"--{'retry' if retry else 'allow-changes'} needs a run: --resume RUN, such as --resume latest"
        )
    else:
        making.begin({**options.config(config, CONFIG), **chosen, **child}, **how)

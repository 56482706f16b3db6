"""`bench doctor`: what of this machine can spoil a measurement, and how small a difference can be seen on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import INTERRUPTED, options, signals
from bench.cli.output import OUT, print_json, show_table
from bench.doctor import checks
from bench.errors import UsageError
from bench.measure import guardian
from bench.store.folder import RunFolder
from bench.types import PHASES

if TYPE_CHECKING:
    from bench.doctor.floor import Floor
    from bench.plan import Plan

MARKS = {"ok": "ok", "note": "note", "warning": "look"}


def doctor(
    scenario: Annotated[
        str, typer.Option("--scenario", "-s", metavar="NAME[k=v,…]", help="What the floor is measured on.")
    ] = "s4-linear",
    backend: Annotated[
        str, typer.Option("--backend", "-b", metavar="NAME[k=v,…]", help="With which contender.")
    ] = "numpy.gd[steps=20000]",
    rounds: Annotated[int, typer.Option(help="Children to measure the floor with; 0: leave it out.")] = 12,
    results: options.Results = Path("results"),
    threads: options.Threads = None,
    slots: Annotated[
        bool, typer.Option("--slots", help="By how much slots of --executor dask slow each other down, instead.")
    ] = False,
    json_: options.Json = False,
) -> None:
    """Say what can spoil a measurement here, what to do about it, and how small a difference can be seen.

    Needs no root. The noise floor comes from children that all do the same work, made as `bench run` makes them.

    \b
    Examples:
      bench doctor
      bench doctor --rounds 0                             only look at the machine
      bench doctor -s s0-uniform -b numpyro.nuts          the floor of that contender
      bench doctor --threads 1
      bench doctor --slots --threads 2                    slots of two CPUs: how many may work at the same time
    """
    options.integer("rounds", rounds, 0)
    options.integer("threads", threads, 1)
    if slots:
        from bench.cli import neighbours  # scipy

        plan = _plan(scenario, backend, rounds, threads)
        neighbours.show(plan, threads, as_json=json_)
        return
    findings = list(checks.findings(results))
    floor = _measure(scenario, backend, rounds, threads, quiet=json_) if rounds else None
    if json_:
        print_json({"findings": [f._asdict() for f in findings], "floor": _floor_table(floor)})
        return
    rows = [(MARKS[f.state], f.topic, f.read, f.advice) for f in findings]
    show_table(["", "topic", "found", "what to do"], rows)
    if floor is not None:
        _show_floor(floor, scenario, backend)


def _measure(scenario: str, backend: str, rounds: int, threads: int | None, *, quiet: bool) -> Floor:
    """Run the work in a temporary folder, and read its floor; UsageError where the fits do not end well."""
    from bench.catalog.kept import bring
    from bench.cli.progress import RunProgress  # here: these import numpy and scipy
    from bench.doctor.floor import floor_of
    from bench.measure import local, run
    from bench.measure.job import Limits

    plan = _plan(scenario, backend, rounds, threads)
    with guardian.scratch("doctor") as place, signals.patience():
        folder = RunFolder.create(place, "doctor")
        bring(plan.cells[0].scenario, folder.path)
        with RunProgress(list(plan.jobs()), quiet=quiet) as progress, local.Local() as executor:
            if not run.execute(plan, folder, Limits(), progress, executor):
                raise typer.Exit(INTERRUPTED)
        cell = plan.cells[0].cell.id
        records = [folder.record(cell, rep) for rep in range(plan.fits)]
    bad = next((r for r in records if r is None or r.status != "ok"), None)
    if bad is not None:
        raise UsageError(f"{scenario} × {backend} ended {bad.status}: {bad.reason}")
    per_round: dict[int, list[float]] = {}
    for r in records:
        if r is not None and not r.cold:
            per_round.setdefault(r.round, []).append(sum(r.seconds.get(p, 0.0) for p in PHASES))
    return floor_of(list(per_round.values()))


def _plan(scenario: str, backend: str, rounds: int, threads: int | None) -> Plan:
    """The work; UsageError where it is not one cell."""
    from bench.plan import Choice, make

    plan = make(Choice(scenarios=[scenario], backends=[backend], reps=4, rounds=max(3, rounds), threads=threads))
    if len(plan.cells) != 1:
        raise UsageError(
            f"the floor is that of one contender on one scenario; {scenario} × {backend} are {len(plan.cells)}"
        )
    return plan


def _show_floor(floor: Floor, scenario: str, backend: str) -> None:
    OUT.print(
        f"\nnoise floor, {scenario} × {backend}: log seconds differ by {floor.between:.3f} (sd) between "
        f"{floor.rounds} children, by {floor.within:.3f} within one",
    )
    for rounds, smallest in floor.smallest.items():
        OUT.print(f"  {rounds} rounds a side: differences below {smallest:.1%} cannot be told from noise")
    OUT.print("  twice as much is found nearly always; more --rounds, fewer neighbours or --threads 1 lower it")


def _floor_table(floor: Floor | None) -> dict[str, Any] | None:
    if floor is None:
        return None
    return floor._asdict() | {"smallest": {str(k): v for k, v in floor.smallest.items()}}

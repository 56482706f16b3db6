"""How `bench ab` measures two sides in turn until it is clear what differs, and what it prints then."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from bench import pipeline
from bench.analysis.tables import RunTables
from bench.cli import FAILED, INTERRUPTED, OK, output, signals
from bench.cli.progress import AlternatingProgress, Status
from bench.comparison.baseline import statuses
from bench.comparison.rows import NO_BASELINE, Request
from bench.comparison.session import Session, schedule
from bench.comparison.sides import Side, Source, are_contenders, checkout, plans
from bench.comparison.verdicts import judged
from bench.measure import guardian, local
from bench.measure.environment import default_threads, environment
from bench.measure.job import Limits, refusal
from bench.plan import Choice, Plan
from bench.present.comparison.formats import render
from bench.store.folder import RunFolder
from bench.store.tables import fits_table, write


class Measured(NamedTuple):
    """Both sides as they were measured, with their tables and what is to be compared."""

    sides: tuple[Side, Side]
    tables: tuple[RunTables, RunTables]
    request: Request
    interrupted: bool


def measure(
    names: tuple[str, str],
    choice: Choice,
    request: Request,
    results: Path,
    name: str | None,
    *,
    rounds: tuple[int, int],
    seconds: float | None,
    fresh: bool,
    quiet: bool,
) -> Measured:
    """Both sides measured and scored, in two run folders below `results`; UsageError where they cannot be paired.

    `rounds` are those of every cell before the first look, and at most; nothing is begun after `seconds`. Where no cell
    of the base may be fitted, nothing is measured: that is said, and the command ends as one without a baseline.
    """
    looks = schedule(*rounds)
    request = replace(request, looks=len(looks))
    pair_of_plans = plans(names, choice)
    _need_one(names[0], [refusal(planned)[1] for planned in pair_of_plans[0].cells])
    with guardian.scratch("ab") as place:
        sources = [Source(n) if are_contenders(names) else checkout(n, place) for n in names]
        sides = _folders(results, name, sources, pair_of_plans, quiet=quiet)
        _need_one(names[0], [sides[0].refused.get(p.cell.id, "") for p in sides[0].plan.cells], sides)
        progress = AlternatingProgress(quiet=quiet)
        session = Session(sides, Limits(fresh=fresh), progress)
        interrupted = not _measured(session, looks, request, seconds, progress)
        for side in sides:
            pipeline.finish(side.folder, side.folder.manifest(), not interrupted)
            _score(side, quiet=quiet)
        return Measured(sides, _tables(sides), request, interrupted)


def _need_one(base: str, refusals: Sequence[str], sides: Sequence[Side] = ()) -> None:
    """Leave, without the folders of the sides, where every cell of the base has a reason not to be fitted."""
    if not all(refusals):
        return
    for side in sides:
        shutil.rmtree(side.folder.path, ignore_errors=True)
    output.no_baseline(f"{base} cannot be measured: {refusals[0]}; nothing was measured")


def conclude(measured: Measured, base: str, form: str, *, everything: bool) -> int:
    """Print what differs, or that there is no baseline (the side typed as `base`); the exit code."""
    if statuses(measured.tables[0]):
        see = f"see bench report {measured.sides[0].folder.path}"
        output.ERR.print(f"no baseline: no fit of {base} finished; {see}")
        return INTERRUPTED if measured.interrupted else NO_BASELINE
    comparison = judged(*measured.tables, measured.request)
    code = INTERRUPTED if measured.interrupted else comparison.code
    labels = [side.source.label for side in measured.sides]
    output.write(render(comparison, form, everything=everything, code=code, sides=labels))
    return code


def _measured(
    session: Session, looks: list[int], request: Request, seconds: float | None, progress: AlternatingProgress
) -> bool:
    """Make rounds until every cell is clear; False when interrupted."""
    warm = replace(request, metrics=("seconds_total",))

    def still_open() -> set[int]:
        progress.update("comparing")
        rows = judged(*_tables(session.sides), warm).rows
        wanted = {row.cell for row in rows if row.metric == "seconds_total" and row.verdict == "inconclusive"}
        return {i for i, planned in enumerate(session.sides[0].plan.cells) if planned.cell.id in wanted}

    with signals.patience(), progress:
        try:
            for _ in session.run(looks, still_open, seconds=seconds):
                pass
        except KeyboardInterrupt:
            return False
    return True


def _folders(
    results: Path, name: str | None, sources: Sequence[Source], plans: tuple[Plan, Plan], *, quiet: bool
) -> tuple[Side, Side]:
    """Two run folders with their manifests, of no rounds yet; what has a wrong target in this checkout is refused."""
    stem = name or time.strftime("ab-%Y%m%d-%H%M%S")
    sides = []
    for letter, source, plan in zip("ab", sources, plans, strict=True):
        folder = RunFolder.create(results, f"{stem}-{letter}")
        run = pipeline.start_manifest(folder, plan, {"threads": plan.cells[0].cell.threads})
        if source.code:
            run.commit, run.dirty = source.commit, False
        for cell in run.cells:
            cell.rounds = 0
        run.ab = {"side": letter, "of": source.label}
        folder.write_manifest(run)
        refused: Mapping[str, str] = {}
        if source.code is None:  # another revision's densities are its own: this one's gate knows nothing of them
            with Status("verifying densities", quiet=quiet):
                refused = pipeline.verify(folder, plan, run, lambda *_: None, local.Local())
        sides.append(Side(source, plan, folder, refused))
    return sides[0], sides[1]


def _tables(pair: tuple[Side, Side]) -> tuple[RunTables, RunTables]:
    """Tables of both, the cells of B under the ids of the cells of A that they are compared with."""
    for side in pair:
        write(side.folder, "fits", fits_table(side.folder))
    a, b = (pipeline.run_tables(side.folder) for side in pair)
    ids = [[p.cell.id for p in side.plan.cells] for side in pair]
    renamed = dict(zip(ids[1], ids[0], strict=True))
    for table in (b.fits, b.metrics, b.curves):
        table["cell"] = table["cell"].map(lambda cell: renamed.get(cell, cell)).astype("string")
    return a, b


def _score(side: Side, *, quiet: bool) -> None:
    """Score with the side's own code, since another revision's scenarios may make other data."""
    with Status(f"scoring {side.source.label}", quiet=quiet) as status:
        if side.source.code is None:
            pipeline.score(side.folder, status.update)
            return
        done = guardian.run(
            [sys.executable, "-P", "-m", "bench", "score", side.folder.name, "--results", str(side.folder.path.parent)],
            environment(default_threads(), side.source.code),
        )
    if done.returncode not in (OK, FAILED):
        last = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        output.ERR.print(f"{side.source.label} cannot score its fits ({last}); only times are compared")

"""`bench ab`: two revisions of the code, or two option sets of a backend, measured alternately until it is clear."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import INTERRUPTED, judging, options, output
from bench.cli.results import Results

if TYPE_CHECKING:
    from bench.analysis.tables import RunTables
    from bench.compare.rows import Request
    from bench.compare.session import Session
    from bench.compare.sides import Side, Source
    from bench.plan import Job, Plan

LETTERS = ("a", "b")


def ab(
    base: Annotated[
        str, typer.Argument(metavar="BASE", help="A revision (`.`: the working tree), or a backend with options.")
    ],
    head: Annotated[str, typer.Argument(metavar="HEAD", help="The other one.")],
    scenario: options.Scenarios = None,
    backend: Annotated[
        list[str] | None, typer.Option("--backend", "-b", metavar="NAME[k=v,…]", help="Backends, for revisions.")
    ] = None,
    suite: Annotated[str | None, typer.Option(help="A suite instead of -s and -b, for revisions.")] = None,
    budget: options.Budget = None,
    reps: Annotated[int, typer.Option(help="Fits per child; the first is cold.")] = 3,
    rounds: Annotated[int, typer.Option(help="Rounds of every cell before the first look.")] = 5,
    max_rounds: Annotated[int, typer.Option(help="Rounds at most, of cells that are still open.")] = 20,
    seconds: Annotated[
        float | None, typer.Option(help="Begin nothing more after so long (the first look is made).")
    ] = None,
    threshold: judging.Threshold = None,
    fail_on: judging.FailOn = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    threads: options.Threads = None,
    seed: options.Seed = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Every child an interpreter of its own.")] = False,
    results: Results = Path("results"),
    name: Annotated[
        str | None, typer.Option(help="Name of the two runs, -a and -b behind it. [default: ab-DATE]")
    ] = None,
    format_: judging.Form = "text",
    all_: judging.All = False,
) -> None:
    """Measure two sides alternately in one go, and say what differs.

    Each round makes a child of either side for every cell, in random order. Cells whose warm seconds are still
    inconclusive at a look get more rounds, up to --max-rounds or --seconds; every look is read at a level that allows
    for all of them.

    \b
    Examples:
      bench ab main .                                          uncommitted work against a branch, quick suite
      bench ab v1.0 HEAD -s s4-linear -b 'torch.*'
      bench ab 'torch.adam[lr=0.05]' 'torch.adam[lr=0.1]' -s s4-linear
      bench ab numpyro.nuts 'numpyro.nuts[chain_method=sequential]' -s 's0-*' --max-rounds 40 --seconds 600

    \b
    Exit codes: 0 ok · 1 regression of HEAD · 2 usage · 5 nothing of BASE finished · 6 not comparable · 130 interrupted.
    """
    from bench import pipeline
    from bench.compare.baseline import statuses
    from bench.compare.rows import NO_BASELINE, Request
    from bench.compare.session import Session, schedule
    from bench.compare.sides import Source, are_contenders, checkout, plans
    from bench.compare.verdicts import judged
    from bench.errors import UsageError
    from bench.measure import guardian
    from bench.measure.job import Limits
    from bench.present.comparison.formats import render

    form = options.word("format", format_, judging.FORMATS)
    options.whole("reps", reps, 2)
    options.whole("rounds", rounds, 3)
    if max_rounds < rounds:
        raise UsageError(f"--max-rounds {max_rounds} is not allowed; at least --rounds, {rounds}")
    if seconds is not None and not seconds > 0:
        raise UsageError(f"--seconds {seconds} is not allowed; above 0")
    names = base, head
    contenders = are_contenders(names)
    if contenders and (backend or suite or not scenario):
        raise UsageError("two backends are compared on the scenarios of -s NAME, without -b and --suite")
    given = {"scenario": scenario, "backend": backend, "suite": suite, "budget": budget, "device": device,
             "dtype": dtype, "threads": threads, "seed": seed, "reps": reps, "rounds": rounds}  # fmt: skip
    choice = options.choice({k: v for k, v in given.items() if v not in (None, [])})
    looks = schedule(rounds, max_rounds)
    request = replace(Request.read(fail_on or (), threshold or ()), looks=len(looks))
    pair_of_plans, quiet = plans(names, choice), form == "json"
    with guardian.scratch("ab") as place:
        sources = [Source(n) if contenders else checkout(n, place) for n in names]
        pair = _folders(results, name, sources, pair_of_plans, quiet=quiet)
        progress = Progress(quiet=quiet)
        session = Session(pair, Limits(fresh=fresh), progress)
        interrupted = not _measured(session, looks, request, seconds, progress)
        for side in pair:
            pipeline.finish(side.folder, side.folder.manifest(), not interrupted)
            _score(side, quiet=quiet)
        first, second = _tables(pair)
    if statuses(first):
        sys.stderr.write(f"no baseline: no fit of {base} finished; see python -m bench report {pair[0].folder.path}\n")
        raise typer.Exit(INTERRUPTED if interrupted else NO_BASELINE)
    comparison = judged(first, second, request)
    code = INTERRUPTED if interrupted else comparison.code
    sides = [side.source.label for side in pair]
    sys.stdout.write(render(comparison, form, everything=all_, code=code, sides=sides))
    raise typer.Exit(code)


def _measured(session: Session, looks: list[int], request: Request, seconds: float | None, progress: Progress) -> bool:
    """Make rounds until every cell is clear; False when interrupted."""
    from bench.cli import signals
    from bench.compare.verdicts import judged

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
    import time

    from bench import pipeline
    from bench.compare.sides import Side
    from bench.measure import local
    from bench.store.folder import RunFolder

    stem = name or time.strftime("ab-%Y%m%d-%H%M%S")
    sides = []
    for letter, source, plan in zip(LETTERS, sources, plans, strict=True):
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
            with output.Status("verifying densities", quiet=quiet):
                refused = pipeline.verify(folder, plan, run, lambda *_: None, local.Local())
        sides.append(Side(source, plan, folder, refused))
    return sides[0], sides[1]


def _tables(pair: tuple[Side, Side]) -> tuple[RunTables, RunTables]:
    """Tables of both, the cells of B under the ids of the cells of A that they are compared with."""
    from bench.pipeline import run_tables
    from bench.store.tables import fits_table, write

    for side in pair:
        write(side.folder, "fits", fits_table(side.folder))
    a, b = (run_tables(side.folder) for side in pair)
    ids = [[p.cell.id for p in side.plan.cells] for side in pair]
    renamed = dict(zip(ids[1], ids[0], strict=True))
    for table in (b.fits, b.metrics, b.curves):
        table["cell"] = table["cell"].map(lambda cell: renamed.get(cell, cell)).astype("string")
    return a, b


def _score(side: Side, *, quiet: bool) -> None:
    """Score with the side's own code, since another revision's scenarios may make other data."""
    from bench import pipeline
    from bench.measure import guardian
    from bench.measure.environment import default_threads, environment

    with output.Status(f"scoring {side.source.label}", quiet=quiet) as status:
        if side.source.code is None:
            pipeline.score(side.folder, status.update)
            return
        done = guardian.run(
            [sys.executable, "-P", "-m", "bench", "score", side.folder.name, "--results", str(side.folder.path.parent)],
            environment(default_threads(), side.source.code),
        )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        sys.stderr.write(f"{side.source.label} cannot score its fits ({last}); only times are compared\n")


class Progress(output.Status):
    """What is being measured, on stderr."""

    def __init__(self, *, quiet: bool) -> None:
        super().__init__("starting", quiet=quiet)
        self.plain = not quiet and not sys.stderr.isatty()
        self.round = -1

    def imports(self, framework: str) -> None:
        """Name the framework that is being imported."""
        self.update(f"importing {framework}")

    def starts(self, side: Side, job: Job) -> None:
        """Name side, cell and round at work."""
        cell = job.planned.cell
        self.update(f"round {job.round + 1}: {cell.scenario_label} × {cell.backend_label} of {side.source.label}")
        if self.plain and job.round != self.round:
            self.round = job.round
            sys.stderr.write(f"round {job.round + 1}\n")

    def waits(self) -> None:
        """Nothing: the status line spins by itself."""

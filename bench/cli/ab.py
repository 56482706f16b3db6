"""`bench ab`: two revisions of the code, or two option sets of a backend, measured alternately until it is clear."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import judging

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.analysis.tables import RunTables
    from bench.compare.rows import Comparison, Request
    from bench.compare.sides import Side
    from bench.plan import Choice, Job

LETTERS = ("a", "b")


def ab(
    base: Annotated[
        str, typer.Argument(metavar="BASE", help="A revision (`.`: the working tree), or a backend with options.")
    ],
    head: Annotated[str, typer.Argument(metavar="HEAD", help="The other one.")],
    scenario: Annotated[
        list[str] | None, typer.Option("--scenario", "-s", metavar="NAME[k=v,…]", help="Scenario name or glob.")
    ] = None,
    backend: Annotated[
        list[str] | None, typer.Option("--backend", "-b", metavar="NAME[k=v,…]", help="Backends, for revisions.")
    ] = None,
    suite: Annotated[str | None, typer.Option(help="A suite instead of -s and -b, for revisions.")] = None,
    budget: Annotated[str | None, typer.Option(help="quick, standard or thorough. [default: quick]")] = None,
    reps: Annotated[int, typer.Option(help="Fits per child; the first is cold.")] = 3,
    rounds: Annotated[int, typer.Option(help="Rounds of every cell before the first look.")] = 5,
    max_rounds: Annotated[int, typer.Option(help="Rounds at most, of cells that are still open.")] = 20,
    seconds: Annotated[
        float | None, typer.Option(help="Begin nothing more after so long (the first look is made).")
    ] = None,
    threshold: judging.Threshold = None,
    fail_on: judging.FailOn = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or auto. [default: cpu]")] = None,
    dtype: Annotated[str | None, typer.Option(help="float64 or float32. [default: float64]")] = None,
    threads: Annotated[int | None, typer.Option(help="CPUs per child. [default: all usable]")] = None,
    seed: Annotated[int, typer.Option(help="Root of every seed.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Every child an interpreter of its own.")] = False,
    results: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("results"),
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
    from bench.cli import options
    from bench.errors import UsageError

    form = options.word("format", format_, judging.FORMATS)
    for option, value, least in (("reps", reps, 2), ("rounds", rounds, 3), ("threads", threads, 1), ("seed", seed, 0)):
        options.whole(option, value, least)
    if max_rounds < rounds:
        raise UsageError(f"--max-rounds {max_rounds} is not allowed; at least --rounds, {rounds}")
    if seconds is not None and not seconds > 0:
        raise UsageError(f"--seconds {seconds} is not allowed; above 0")
    from bench.compare.rows import Request
    from bench.compare.sides import are_contenders

    if are_contenders((base, head)) and (backend or suite or not scenario):
        raise UsageError("two backends are compared on the scenarios of -s NAME, without -b and --suite")
    chosen = {"scenario": scenario, "backend": backend, "suite": suite, "budget": budget, "device": device,
              "dtype": dtype, "threads": threads, "seed": seed, "reps": reps, "rounds": rounds}  # fmt: skip
    made = options.choice({k: v for k, v in chosen.items() if v not in (None, [])})
    request = Request.read(fail_on or (), threshold or ())
    looks = (rounds, max_rounds)
    raise typer.Exit(_measure((base, head), made, looks, seconds, fresh, results, name, request, form, all_))


def _measure(
    names: tuple[str, str],
    choice: Choice,
    rounds: tuple[int, int],
    seconds: float | None,
    fresh: bool,
    results: Path,
    name: str | None,
    request: Request,
    form: str,
    everything: bool,
) -> int:
    from bench import pipeline
    from bench.cli import signals
    from bench.compare import sides as ab_sides
    from bench.compare.baseline import statuses
    from bench.compare.rows import NO_BASELINE
    from bench.compare.session import Session, schedule
    from bench.compare.verdicts import judged
    from bench.measure import guardian
    from bench.measure.job import Limits
    from bench.present.comparison.formats import render

    looks = schedule(*rounds)
    request = replace(request, looks=len(looks))
    plans = ab_sides.plans(names, choice)
    with guardian.scratch("ab") as place:
        contenders = ab_sides.are_contenders(names)
        sources = [ab_sides.Source(n) if contenders else ab_sides.checkout(n, place) for n in names]
        pair = _folders(results, name, sources, plans, quiet=form == "json")
        with signals.patience(), Progress(pair, quiet=form == "json") as progress:
            session = Session(pair, Limits(fresh=fresh), progress)

            def still_open() -> set[int]:
                progress.looks()
                return _open_pairs(judged(*_tables(pair), replace(request, metrics=("seconds_total",))), pair)

            interrupted = False
            try:
                for _ in session.run(looks, still_open, seconds=seconds):
                    pass
            except KeyboardInterrupt:
                interrupted = True
        for side in pair:
            pipeline.finish(side.folder, side.folder.manifest(), not interrupted)
            _score(side, quiet=form == "json")
        first, second = _tables(pair)
    if statuses(first):
        sys.stderr.write(
            f"no baseline: no fit of {names[0]} finished; see python -m bench report {pair[0].folder.path}\n"
        )
        return 130 if interrupted else NO_BASELINE
    comparison = judged(first, second, request)
    code = 130 if interrupted else comparison.code
    sides = [side.source.label for side in pair]
    sys.stdout.write(render(comparison, form, everything=everything, code=code, sides=sides))
    return code


def _folders(
    results: Path, name: str | None, sources: list[Any], plans: tuple[Any, Any], *, quiet: bool
) -> tuple[Side, Side]:
    """Two run folders with their manifests, of no rounds yet; what has a wrong target in this checkout is refused."""
    import time

    from bench import pipeline
    from bench.cli import output
    from bench.compare.sides import Side
    from bench.measure import local
    from bench.store.folder import RunFolder

    stem = name or time.strftime("ab-%Y%m%d-%H%M%S")
    made = []
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
        made.append(Side(source, plan, folder, refused))
    return made[0], made[1]


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


def _open_pairs(found: Comparison, pair: tuple[Side, Side]) -> set[int]:
    """Positions of the cells whose warm seconds are inconclusive."""
    wanted = {row.cell for row in found.rows if row.metric == "seconds_total" and row.verdict == "inconclusive"}
    return {i for i, planned in enumerate(pair[0].plan.cells) if planned.cell.id in wanted}


def _score(side: Side, *, quiet: bool) -> None:
    """Score with the side's own code, since another revision's scenarios may make other data."""
    from bench.cli import output
    from bench.measure import guardian
    from bench.measure.environment import default_threads, environment

    with output.Status(f"scoring {side.source.label}", quiet=quiet) as status:
        if side.source.code is None:
            from bench import pipeline

            pipeline.score(side.folder, status.update)
            return
        done = guardian.run(
            [sys.executable, "-P", "-m", "bench", "score", side.folder.name, "--results", str(side.folder.path.parent)],
            environment(default_threads(), side.source.code),
        )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        sys.stderr.write(f"{side.source.label} cannot score its fits ({last}); only times are compared\n")


class Progress:
    """What is being measured, on stderr."""

    def __init__(self, pair: tuple[Side, Side], *, quiet: bool) -> None:
        from bench.cli.output import Status

        self.pair, self.quiet = pair, quiet
        self.status = Status("starting", quiet=quiet)
        self.plain = not quiet and not sys.stderr.isatty()
        self.said = -1

    def __enter__(self) -> Progress:
        self.status.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.status.__exit__(kind, error, tb)

    def imports(self, framework: str) -> None:
        """Name the framework that is being imported."""
        self.status.update(f"importing {framework}")

    def starts(self, side: Side, job: Job) -> None:
        """Name side, cell and round at work."""
        cell = job.planned.cell
        self.status.update(
            f"round {job.round + 1}: {cell.scenario_label} × {cell.backend_label} of {side.source.label}"
        )
        if self.plain and job.round != self.said:
            self.said = job.round
            sys.stderr.write(f"round {job.round + 1}\n")

    def looks(self) -> None:
        """Say that what there is is being compared."""
        self.status.update("comparing")

    def waits(self) -> None:
        """Nothing: the status line spins by itself."""

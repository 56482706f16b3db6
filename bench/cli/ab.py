"""`bench ab`: two revisions of the code, or two option sets of a backend, measured alternately until it is clear."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options
from bench.errors import UsageError

CHOICE = ("scenario", "backend", "suite", "budget", "device", "dtype", "threads", "seed", "reps", "rounds")
MOST_ROUNDS = 20


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
    max_rounds: Annotated[
        int | None, typer.Option(help="Rounds at most, of cells that are still open. [default: 20, or --rounds]")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Begin nothing more after so long (the first look is made).")
    ] = None,
    threshold: options.Threshold = None,
    fail_on: options.FailOn = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    threads: options.Threads = None,
    seed: options.Seed = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Every child an interpreter of its own.")] = False,
    results: options.Results = Path("results"),
    name: Annotated[
        str | None, typer.Option(help="Name of the two runs, -a and -b behind it. [default: ab-DATE]")
    ] = None,
    format_: options.Form = "text",
    all_: options.All = False,
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
    chosen = options.named(locals(), CHOICE)

    from bench.comparison.sides import are_contenders  # numpy

    form = options.word("format", format_, options.FORMATS)
    options.integer("reps", reps, 2)
    options.integer("rounds", rounds, 3)
    max_rounds = max(MOST_ROUNDS, rounds) if max_rounds is None else max_rounds
    if max_rounds < rounds:
        raise UsageError(f"--max-rounds {max_rounds} is not allowed; at least --rounds, {rounds}")
    if seconds is not None and not seconds > 0:
        raise UsageError(f"--seconds {seconds} is not allowed; above 0")
    if are_contenders((base, head)) and (backend or suite or not scenario):
        raise UsageError("two backends are compared on the scenarios of -s NAME, without -b and --suite")
    choice = options.choice(chosen)

    from bench.cli import alternating  # this and the next import pandas
    from bench.comparison.rows import Request

    request = Request.read(fail_on or (), threshold or ())
    measured = alternating.measure((base, head), choice, request, results, name, rounds=(rounds, max_rounds),
                                   seconds=seconds, fresh=fresh, quiet=form == "json")  # fmt: skip
    raise typer.Exit(alternating.conclude(measured, base, form, everything=all_))

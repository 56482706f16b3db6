"""`bench new`: a file to begin with, for a scenario of one's own data or a contender of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.errors import UsageError, shown, unknown

WHAT = ("scenario", "backend")


def new(
    what: Annotated[str, typer.Argument(metavar="scenario|backend", help="What to begin.")],
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="Of a backend FRAMEWORK.METHOD; of a scenario by default the data file's."
        ),
    ] = None,
    data: Annotated[Path | None, typer.Option(metavar="FILE", help="CSV or Parquet file of the data.")] = None,
    formula: Annotated[
        str | None, typer.Option(metavar="'y ~ …'", help="The model, as in R: terms, C(g), (1 | g).")
    ] = None,
    likelihood: Annotated[
        str | None, typer.Option(help="gaussian, student_t, bernoulli, … [default: what the observations look like]")
    ] = None,
    missing: Annotated[str, typer.Option(help="refuse or drop rows with gaps.")] = "refuse",
    standardise: Annotated[
        bool | None,
        typer.Option(
            "--standardise/--no-standardise",
            help="Columns to mean 0 and sd 1. [default: if one lies far from 0, or scales are unlike]",
        ),
    ] = None,
    holdout: Annotated[float, typer.Option(metavar="SHARE", help="Share of the rows held out.")] = 0.0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="File of a scenario, folder of backends. [default: beside the data; backends, or here]",
        ),
    ] = None,
) -> None:
    """Write a commented file to begin with, say what was understood, and name the next command.

    \b
    scenario  from a data file and a formula: rows, gaps, categories and priors are printed and written out, to be
              edited. The file lies beside the data, or above them.
    backend   a contender that works (least squares by hand, for the family linear), to be replaced by your own.

    \b
    Examples:
      bench new scenario --data mine.csv --formula 'y ~ age + C(region)'
      bench new scenario visits --data mine.csv --formula 'n ~ age + offset(log(days))' --likelihood poisson
      bench new scenario --data mine.csv --formula 'y ~ x + (1 | site)' --missing drop --holdout 0.2
      bench new backend mine.least_squares --out ~/backends

    Exit codes: 0 written · 2 usage, and nothing is written.
    """
    from bench.cli import beginning

    if what not in WHAT:
        raise unknown("thing to begin", what, WHAT)
    if what == "backend":
        if name is None or data or formula:
            raise UsageError("bench new backend takes FRAMEWORK.METHOD, such as mine.least_squares, and --out")
        beginning.backend(name, out)
        return
    if data is None or formula is None:
        raise UsageError("bench new scenario needs --data FILE and --formula 'y ~ …'")
    file = out or data.parent / f"{name or data.stem}.toml"
    if name is not None and file.stem != name:
        raise UsageError(f"--out {shown(str(file))} is not named {name}.toml")
    settings = {"missing": missing, "standardise": standardise, "share": holdout}
    beginning.scenario(file, data, formula, likelihood, settings)

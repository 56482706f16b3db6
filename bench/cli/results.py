"""`bench score` and `bench query`: what can be done with runs that exist."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import FAILED, options, output
from bench.cli.progress import Status
from bench.store.folder import RunFolder


def score(run: options.Run, results: options.Results = Path("results")) -> None:
    """Score a run's stored draws (again), without fitting: tables and reports are written anew.

    \b
    Examples:
      bench score latest
      bench score results/20261121-101500      a run made elsewhere with --no-score

    \b
    Exit codes: 0 ok · 2 usage · 3 some fit could not be scored and is invalid, or the disk is full.
    """
    from bench import pipeline  # this and the next import numpy and scipy
    from bench.score.run import score_run

    folder = RunFolder.open(results, run)
    with Status("scoring") as status:
        scored = score_run(folder, status.update)
        pipeline.write_reports(folder)
    output.warn(folder)
    output.OUT.print(f"scored {scored} fits; report: {folder.path / 'report.html'}")
    if folder.unscored:
        raise typer.Exit(FAILED)


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="Over the tables fits, metrics and curves of every run.")],
    results: options.Results = Path("results"),
    format_: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
) -> None:
    """Ask all runs of a results folder in SQL (DuckDB, in memory; no file can be read or written by the query).

    \b
    Examples:
      bench query "select backend, median(seconds_total) from fits where not cold group by backend"
      bench query "select scenario, backend, max(value) from metrics where metric = 'r_hat' group by all" --format csv
    """
    from bench.store.queries import ask  # pandas
    from bench.store.tables import defused

    options.word("format", format_, ("table", "csv", "json"))
    runs = RunFolder.all(results)
    frame = ask(results, sql, runs=runs)
    output.warn(*runs)
    if format_ == "csv":
        output.write(defused(frame).to_csv(index=False))
    elif format_ == "json":
        output.write(frame.to_json(orient="records", indent=1, date_format="iso") + "\n")
    else:
        output.OUT.print(frame.to_string(index=False, max_rows=200))

"""`bench score`, `report`, `query` and `export`: what can be done with a run that exists."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[Path, typer.Option(help="Folder of the runs.")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="Name or path of a run; `latest` is the newest.")]


def score(run: Run, results: Results = Path("results")) -> None:
    """Score a run's stored draws (again), without fitting: tables and reports are written anew.

    \b
    Examples:
      bench score latest
      bench score results/20261121-101500      a run made elsewhere with --no-score
    """
    from bench.cli import output
    from bench.scoring import score_run
    from bench.store.folder import RunFolder

    folder = RunFolder.open(results, run)
    with output.Status("scoring", quiet=False) as status:
        scored = score_run(folder, status.update)
        output.write_reports(folder)
    output.warn(folder)
    output.OUT.print(f"scored {scored} fits; report: {folder.path / 'report.html'}", markup=False)


def report(run: Run = "latest", results: Results = Path("results")) -> None:
    """Write report.md and report.html from a run's tables and print where they are.

    \b
    Example:
      bench report latest
    """
    from bench.cli import output
    from bench.store.folder import RunFolder

    folder = RunFolder.open(results, run)
    output.write_reports(folder)
    output.warn(folder)
    output.OUT.print(f"{folder.path / 'report.html'}\n{folder.path / 'report.md'}", markup=False)


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="Over the tables fits, metrics and curves of every run.")],
    results: Results = Path("results"),
    format_: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
) -> None:
    """Ask all runs of a results folder in SQL (DuckDB, in memory; no file can be read or written by the query).

    \b
    Examples:
      bench query "select backend, median(seconds_total) from fits where not cold group by backend"
      bench query "select scenario, backend, max(value) from metrics where metric = 'r_hat' group by all" --format csv
    """
    from bench.cli.options import word
    from bench.cli.output import OUT, warn
    from bench.store.folder import RunFolder
    from bench.store.queries import ask

    word("format", format_, ("table", "csv", "json"))
    runs = RunFolder.all(results)
    frame = ask(results, sql, runs=runs)
    warn(*runs)
    if format_ == "csv":
        sys.stdout.write(frame.to_csv(index=False))
    elif format_ == "json":
        sys.stdout.write(frame.to_json(orient="records", indent=1, date_format="iso") + "\n")
    else:
        OUT.print(frame.to_string(index=False, max_rows=200), markup=False)


def export(
    run: Run,
    format_: Annotated[str, typer.Option("--format", help="csv or parquet.")] = "csv",
    to: Annotated[Path | None, typer.Option(help="Folder to write to. [default: RUN-export]")] = None,
    results: Results = Path("results"),
) -> None:
    """Copy a run's three tidy tables, with run.json, into a folder of their own.

    \b
    Example:
      bench export latest --format parquet --to tables
    """
    import shutil

    from bench.cli.options import word
    from bench.cli.output import OUT, warn
    from bench.errors import UsageError
    from bench.store.folder import RunFolder
    from bench.store.tables import TABLES, read

    word("format", format_, ("csv", "parquet"))
    folder = RunFolder.open(results, run)
    target = to or Path(f"{folder.name}-export")
    files = [folder.path / f"{name}.{format_}" for name in TABLES]
    absent = [f.name for f in files if not f.is_file()]
    if absent:
        raise UsageError(f"{folder.path} has no {', '.join(absent)}; first: python -m bench score {folder.name}")
    for name in TABLES:
        read(folder, name)
    warn(folder)
    spoilt = [name for name in TABLES if f"{name}.parquet" in folder.damage]
    if spoilt:
        raise UsageError(f"{', '.join(spoilt)} would be exported damaged; first: python -m bench score {folder.name}")
    target.mkdir(parents=True, exist_ok=True)
    for file in [*files, folder.path / "run.json"]:
        shutil.copy(file, target / file.name)
    OUT.print(f"{len(files)} tables and run.json in {target}", markup=False)

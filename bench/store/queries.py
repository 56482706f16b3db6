"""SQL over the tables of many runs: in memory, read-only, with no way to any file."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd

from bench.errors import UsageError
from bench.store.folder import RunFolder
from bench.store.tables import TABLES, curves_table, metrics_table, read, typed


def ask(results: Path, sql: str) -> pd.DataFrame:
    """The answer of a query over `fits`, `metrics` and `curves` of every run in a folder; UsageError for bad SQL."""
    runs = RunFolder.all(results)
    if not runs:
        raise UsageError(f"no runs in {results}; first: python -m bench run")
    with duckdb.connect(":memory:") as connection:
        for name in TABLES:
            frames = [frame for frame in (read(run, name) for run in runs) if len(frame)]
            stacked = typed(pd.concat(frames, ignore_index=True)) if frames else _empty(name, runs[0])
            connection.register("incoming", stacked)
            connection.execute(f"create table {name} as select * from incoming")  # noqa: S608 -- names are ours
            connection.unregister("incoming")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        try:
            _only_select(connection, sql)
            answer: pd.DataFrame = connection.sql(sql).df()
            return answer
        except duckdb.Error as error:
            raise UsageError(f"query: {error}") from None


def _empty(name: str, run: RunFolder) -> pd.DataFrame:
    return {"metrics": metrics_table, "curves": curves_table}[name]([]) if name != "fits" else read(run, name)


def _only_select(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """UsageError unless it is one SELECT-like statement."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type not in {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}:
        raise UsageError("query: one SELECT statement over the tables fits, metrics and curves")

"""SQL over the tables of many runs: in memory, read-only, with no way to any file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pandas as pd

from bench.errors import UsageError
from bench.store.folder import RunFolder
from bench.store.tables import TABLES, read, table, typed
from bench.words import program


def ask(results: Path, sql: str, *, runs: Sequence[RunFolder] | None = None) -> pd.DataFrame:
    """The answer of a query over `fits`, `metrics` and `curves` of every run in a folder; UsageError for bad SQL.

    `runs`: those to ask, instead of all in the folder. What of them cannot be read is left out; their `damage` says so.
    """
    runs = RunFolder.all(results) if runs is None else runs
    if not runs:
        raise UsageError(f"no runs in {results}; first: {program.command('run')}")
    with duckdb.connect(":memory:") as connection:
        for name in TABLES:
            frames = [frame for frame in (_read(run, name) for run in runs) if len(frame)]
            stacked = typed(pd.concat(frames, ignore_index=True)) if frames else table(name)
            connection.register("incoming", stacked)
            connection.execute(f"create table {name} as select * from incoming")  # noqa: S608 -- names are ours
            connection.unregister("incoming")
        for setting in LOCKED:
            connection.execute(f"set {setting}")
        try:
            _only_select(connection, sql)
            connection.execute("begin transaction read only")  # a SELECT may hold a DELETE
            answer: pd.DataFrame = connection.sql(sql).limit(ROWS + 1).df()
        except (duckdb.Error, UnicodeError) as error:
            raise UsageError(f"query: {_sentence(error)}") from None
        except RuntimeError as error:
            if "interrupt" in str(error).lower():
                raise KeyboardInterrupt from None
            raise
        except MemoryError:
            raise UsageError(
                "query: its answer takes more memory than there is; ask for less, or add a limit"
            ) from None
        if len(answer) > ROWS:
            raise UsageError(f"query: its answer has more than {ROWS} rows; add a limit, or aggregate")
        return answer


LOCKED = (
    "python_enable_replacements = false",  # variables of this process are no tables
    "autoload_known_extensions = false",
    "autoinstall_known_extensions = false",
    "temp_directory = ''",  # what does not fit into memory is an error, not a file
    "enable_external_access = false",
    "lock_configuration = true",
)
ROWS = 1_000_000
"""Rows of an answer at most."""


def _sentence(error: Exception) -> str:
    """DuckDB's message without the picture of where in the query it is."""
    if isinstance(error, UnicodeError):
        return "it is no text"
    return str(error).partition("\n\nLINE ")[0]


def _read(run: RunFolder, name: str) -> pd.DataFrame:
    try:
        return read(run, name)
    except UsageError as error:
        run.damage["run.json"] = str(error)
        return table(name)


def _only_select(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """UsageError unless it is one SELECT statement; EXPLAIN ANALYZE would run any other."""
    sql.encode()  # an argument that is no text; DuckDB would say something else of it
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise UsageError("query: one SELECT statement over the tables fits, metrics and curves")

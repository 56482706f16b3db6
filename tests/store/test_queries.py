"""`bench query`: SQL over the runs of a folder, and no way out of it."""

import os
import signal
import subprocess
import sys
import time

import duckdb
import pytest

from bench.errors import UsageError
from bench.store import queries
from bench.store.folder import RunFolder
from bench.store.manifest import run_of
from bench.store.queries import ask
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A results folder with one run of which nothing was made, and a file that no query may see."""
    from bench.plan import Choice, make

    tmp_path = tmp_path_factory.mktemp("queries")
    folder = RunFolder.create(tmp_path / "results", "r")
    made = make(Choice(scenarios=["s0-uniform"], backends=["numpy.gd"]))
    folder.write_manifest(run_of(made.description()))
    (tmp_path / "secret.csv").write_text("a,b\n1,hush\n")
    return tmp_path / "results"


def test_the_tables_of_a_run_are_there(results):
    assert ask(results, "select status, count(*) n from fits group by all").values.tolist() == [["interrupted", 2]]
    assert len(ask(results, "select * from metrics")) == len(ask(results, "from curves")) == 0
    assert ask(results, "with f as (select rep from fits) select max(rep) m from f").m[0] == 1


OUTSIDE = [
    "select * from read_csv('{}')",
    "select * from read_csv_auto('{}')",
    "select * from read_text('{}')",
    "select * from read_blob('{}')",
    "select * from read_json('{}')",
    "select * from read_parquet('{}')",
    "select * from parquet_metadata('{}')",
    "select * from sniff_csv('{}')",
    "select * from glob('/etc/*')",
    "select * from '{}'",
    'select * from "{}"',
    "select * from read_csv('https://example.com/x.csv')",
    "select * from 's3://bucket/x.parquet'",
    "select * from sqlite_scan('{}', 't')",
    "select * from duckdb_secrets()",
    "select getenv('HOME')",
    "select * from query('select * from read_text(''{}'')')",
    "explain analyze copy fits to '{}.out'",
    "explain select 1",
    "copy fits to '{}.out'",
    "copy fits from '{}'",
    "export database '{}.out'",
    "import database '{}.out'",
    "attach '{}.db' as other",
    "attach ':memory:' as other",
    "create table t as select 1",
    "insert into fits select * from fits",
    "update fits set rep = 0",
    "delete from fits",
    "with gone as (delete from fits returning *) select * from gone",
    "drop table fits",
    "create view v as select 1",
    "create macro m() as 1",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "set temp_directory = '/tmp'",
    "reset enable_external_access",
    "pragma enable_external_access = true",
    "pragma database_list",
    "call pragma_version()",
    "use memory",
    "checkpoint",
    "begin",
    "commit",
    "prepare p as select 1",
    "vacuum",
    "select 1; select 2",
    "select 1; copy fits to '{}.out'",
    "commit; delete from fits",
    "",
    ";",
    "-- nothing",
    "selec 1",
    "select * from fit",
    "select wrong from fits",
    "select * from fits where rep = ?",
    "select 1/",
    "select 'a'::integer",
    "select \0 1",
    "select '\udcff'",
    # variables of the process that asks
    "select * from stacked",
    "select * from frames",
    "select * from runs",
    "select * from incoming",
]


@pytest.mark.parametrize("sql", OUTSIDE)
def test_what_is_no_question_over_the_tables_is_one_sentence(results, sql):
    before = sorted(results.parent.rglob("*"))
    with pytest.raises(UsageError) as refused:
        ask(results, sql.format(results.parent / "secret.csv"))
    said = str(refused.value)
    assert said.startswith("query: ")
    assert len(said.splitlines()) == 1
    assert "hush" not in said and "LINE 1" not in said
    assert sorted(results.parent.rglob("*")) == before


@pytest.mark.parametrize("setting", ["enable_external_access", "python_enable_replacements", "lock_configuration"])
def test_settings_are_what_keeps_it_in(results, setting):
    wanted = "true" if setting == "lock_configuration" else "false"
    assert ask(results, f"select current_setting('{setting}')::varchar v").v[0] == wanted
    assert ask(results, "select current_setting('temp_directory') v").v[0] == ""


def test_the_file_could_be_read_without_them(tmp_path):
    (tmp_path / "secret.csv").write_text("a,b\n1,hush\n")
    found = duckdb.connect(":memory:").sql(f"select * from read_csv('{tmp_path / 'secret.csv'}')").df()
    assert found.b[0] == "hush"


def test_an_answer_of_too_many_rows_is_refused_before_it_fills_the_memory(results):
    with pytest.raises(UsageError, match="more than 1000000 rows"):
        ask(results, "select * from range(1_000_000_000_000)")
    assert len(ask(results, f"select * from range({queries.ROWS})")) == queries.ROWS


def test_the_order_of_an_answer_is_kept(results):
    found = ask(results, "select range n from range(5000) order by n desc")
    assert found.n.tolist() == list(range(4999, -1, -1))


def test_a_long_query_ends_at_ctrl_c(results):
    endless = "select count(*) from range(10_000_000_000) a, range(10_000_000_000) b"
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", "query", endless, "--results", str(results)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        time.sleep(3)
        assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err

"""Runs whose files somebody has edited, cut off, or written with another version."""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from bench import pipeline
from bench.analysis.sections import report
from bench.cli import catalog
from bench.errors import UsageError
from bench.plan import Choice, make
from bench.present import markdown, provenance
from bench.store.folder import RunFolder
from bench.store.records import Record
from bench.store.tables import fits_table
from tests.fuzz.inputs import JSON_VALUES, broken_text, mutated
from tests.fuzz.properties import fuzzed, outcome

FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-runs-"))
PLAN = make(Choice(scenarios=["s0-uniform"], backends=["numpy.gd", "exact.posterior"]))
MANIFEST: dict[str, Any] = {
    "schema": 1, "id": "r", "command": "python -m bench run", "started": "2026-01-01T00:00:00+00:00", "finished": None,
    "state": "finished", "bench": "1", "commit": "abc", "dirty": False, "host": {"cpu": "x", "cores": 2},
    "versions": {"numpy": "2"}, "threads": 2, "seed": 0, "options": {}, **PLAN.description(),
}  # fmt: skip
MANIFEST = json.loads(json.dumps(MANIFEST))
CELL = MANIFEST["cells"][0]["id"]
RECORD = json.loads(
    json.dumps(
        asdict(
            Record(
                CELL, 0, 0, 0, True, "ok", seconds={"warmup": 0.1, "sample": 1.0, "import": 1.0},
                stats={"gradients": 10}, notes=["a note"], peak_rss_bytes=10**8, threads=2, load_average=0.5,
                data_seed=1, fit_seed=2, data_digest="d", versions={"numpy": "2"},
            )
        )
    )
)  # fmt: skip
CHILD = {
    "cell": CELL, "round": 0, "attempt": 1, "started": "forked", "seconds": 1.0, "load_average": 0.1,
    "reference_seconds_before": 0.001, "reference_seconds_after": 0.001,
}  # fmt: skip


def run_of(manifest: bytes, record: bytes, children: bytes) -> RunFolder:
    folder = RunFolder(FOLDER / "r")
    shutil.rmtree(folder.path, ignore_errors=True)
    fit = folder.fit(CELL, 0)
    fit.mkdir(parents=True)
    (folder.path / "run.json").write_bytes(manifest)
    (fit / "record.json").write_bytes(record)
    (folder.path / "children.jsonl").write_bytes(children)
    return folder


def raw(value: Any) -> bytes:
    return json.dumps(value).encode()


def check(folder: RunFolder) -> None:
    before = (folder.path / "run.json").read_bytes()
    outcome(RunFolder.open, FOLDER, "r")
    table = outcome(fits_table, folder)
    if not isinstance(table, UsageError):
        assert len(table) == len(list(folder.planned()))
        made = outcome(pipeline.run_tables, folder)
        if not isinstance(made, UsageError):
            provenance.environment(made)
            provenance.context(made)
    outcome(catalog._run_info, folder)
    assert len(list(catalog._runs(FOLDER))) == 1
    assert (folder.path / "run.json").read_bytes() == before


@fuzzed(mutated([RECORD], JSON_VALUES), quick=30, slow=100)
def test_a_mutated_record_is_read_or_said_to_be_damaged(record):
    folder = run_of(raw(MANIFEST), raw(record), raw(CHILD) + b"\n")
    check(folder)
    table = fits_table(folder)
    row = table[(table.cell == CELL) & (table.rep == 0)].iloc[0]
    assert row.status == "interrupted" or not folder.damage


@fuzzed(mutated([MANIFEST], JSON_VALUES), quick=30, slow=60)
def test_a_mutated_manifest_is_read_or_refused(manifest):
    check(run_of(raw(manifest), raw(RECORD), b""))


@fuzzed(mutated([CHILD], JSON_VALUES), quick=20, slow=80)
def test_a_mutated_ledger_is_read_or_said_to_be_damaged(line):
    check(run_of(raw(MANIFEST), raw(RECORD), raw(line) + b"\n" + raw(CHILD) + b"\n"))


TEXTS = [json.dumps(MANIFEST), json.dumps(RECORD), json.dumps(CHILD) + "\n"]


@fuzzed(st.integers(0, 2), st.data(), quick=30, slow=100)
def test_a_torn_file_is_read_or_said_to_be_damaged(which, data):
    files = [text.encode() for text in TEXTS]
    files[which] = data.draw(broken_text([TEXTS[which]]))
    check(run_of(*files))


@fuzzed(mutated([MANIFEST], JSON_VALUES, most=1), quick=8, slow=30)
def test_a_report_of_a_mutated_manifest_is_written_or_refused(manifest):
    made = outcome(lambda: pipeline.run_tables(run_of(raw(manifest), raw(RECORD), b"")))
    if not isinstance(made, UsageError):
        outcome(lambda: markdown.render(report(made)))


@pytest.mark.parametrize("schema", [0, 2, "1", None, 1.5, [1]])
def test_a_run_of_another_schema_is_refused_with_what_to_do(schema):
    folder = run_of(raw(copy.deepcopy(MANIFEST) | {"schema": schema}), raw(RECORD), b"")
    with pytest.raises(UsageError, match=r"schema .* reads schema 1"):
        folder.manifest()


@pytest.fixture(scope="module", autouse=True)
def tidy():
    yield
    shutil.rmtree(FOLDER, ignore_errors=True)

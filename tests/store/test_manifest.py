"""The typed run.json: what is in it stays in it, and what is wrong with it is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct

from bench.analysis.tables import parts
from bench.catalog.places import root
from bench.errors import UsageError
from bench.store.folder import RunFolder
from bench.store.manifest import SCHEMA, Host, calibration_of, plain, run_of
from bench.words.reading import as_type, json_value
from tests.comparison.runs import ENTRY

PUBLISHED = sorted((root() / "results" / "published").glob("*/run.json"))
FACTS: dict[str, Any] = {"schema": SCHEMA, "seed": 7, "cells": [ENTRY], "scenarios": {}}


def written(folder: Path, facts: Any) -> RunFolder:
    (folder / "run.json").write_text(json.dumps(facts))
    return RunFolder(folder)


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.parent.name)
def test_every_published_run_opens_and_is_written_as_it_was(file: Path, tmp_path: Path):
    run = RunFolder(file.parent).manifest()
    again = RunFolder(tmp_path)
    again.write_manifest(run)
    assert (tmp_path / "run.json").read_text() == file.read_text()
    assert again.manifest() == run
    assert run.cells and run.host.cpus and run.versions["numpy"]


def test_there_are_published_runs():
    assert PUBLISHED


def test_keys_of_other_versions_are_kept_where_they_were(tmp_path: Path):
    cell, facts = {**ENTRY, "tiles": 3}, {"weather": {"rain": True}, "host": {"cpu": "A CPU", "fans": 2}}
    folder = written(tmp_path, FACTS | facts | {"cells": [cell]})
    run = folder.manifest()
    run.state = "finished"
    folder.write_manifest(run)
    stored = json.loads((tmp_path / "run.json").read_text())
    assert stored["weather"] == {"rain": True} and stored["host"] == facts["host"] and stored["cells"][0]["tiles"] == 3
    assert stored["state"] == "finished" and plain(folder.manifest()) == plain(run)


def test_what_a_run_does_not_say_is_not_written(tmp_path: Path):
    written(tmp_path, FACTS).write_manifest(run_of({"finished": None, "commit": "", "dirty": False, "options": {}}))
    stored = json.loads((tmp_path / "run.json").read_text())
    assert list(stored) == ["schema", "finished", "commit", "dirty", "host", "seed", "options", "cells", "scenarios"]
    assert run_of({}).host == Host() and run_of({"host": {"cores": 4}}).host.cpus == 4


def test_a_calibration_adds_its_data_sets_at_the_end():
    run = calibration_of(run_of({"cells": [ENTRY]}), 200, {"c": ("scenario", "backend")})
    assert list(plain(run))[-3:] == ["kind", "datasets", "digests"]
    assert run.cells[0].backend_label == "b" and run.datasets == 200


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"cells": 3}, "cells = 3 is not allowed; a list"),
        ({"cells": [{**ENTRY, "reps": 0}]}, "cells[0].reps = 0 is not allowed; int >= 1"),
        ({"cells": [{**ENTRY, "reps": True}]}, "cells[0].reps = True is not allowed; int"),
        ({"cells": [{**ENTRY, "id": "../x"}]}, "cells[0].id = '../x' is not allowed; the id of a cell"),
        ({"cells": [{k: v for k, v in ENTRY.items() if k != "kind"}]}, "cells[0] has no kind"),
        ({"cells": [{**ENTRY, "options": [["lr"]]}]}, "cells[0].options[0] = ['lr'] is not allowed"),
        ({"seed": 2**70}, "seed = 1180591620717411303424 is not allowed; int <= 9223372036854775807"),
        ({"scenarios": {"a b": 3}}, "scenarios[...] is not allowed; a table"),
        ({"host": {"cores": "two"}}, "host.cores = 'two' is not allowed; int"),
        ({"verified": [{"framework": "torch"}]}, "verified[0] has no scenario"),
    ],
)
def test_damage_is_named_with_its_place_its_value_and_what_is_allowed(tmp_path: Path, facts: Any, sentence: str):
    with pytest.raises(UsageError) as refused:
        written(tmp_path, FACTS | facts).manifest()
    assert f"{tmp_path}: run.json is damaged: {sentence}" in str(refused.value)


@pytest.mark.parametrize("raw", [b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\\ud800"}', b"[" * 10**5, b"{", b"\xff"])
def test_json_that_no_file_can_hold_again_is_refused(raw: bytes):
    with pytest.raises((ValueError, RecursionError)):
        json_value(raw)
    assert json_value(b'{"a": 1e-3, "b": 99999999999999999999}') == {"a": 1e-3, "b": 99999999999999999999}
    with pytest.raises(ValueError, match="64 bits"):
        json_value(b"[99999999999999999999]", whole=True)


class Inner(Struct, forbid_unknown_fields=True):
    names: Annotated[tuple[str, ...], Meta(min_length=1, description="a name or a list of names")]
    size: float | None = None


class Outer(Struct):
    inner: dict[str, Inner] | None = None
    rows: list[Inner] = []


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"rows": [{"names": []}]}, "x: rows[0].names = [] is not allowed; a name or a list of names"),
        ({"rows": [{"names": ["a", 3]}]}, "x: rows[0].names = ['a', 3] is not allowed; a name or a list of names"),
        (
            {"rows": [{"names": ["a"], "sise": 1}]},
            "x: rows[0]: unknown key 'sise'; did you mean size? known: names, size",
        ),
        ({"rows": [{"names": ["a"], "size": "1"}]}, "x: rows[0].size = '1' is not allowed; a number"),
        ({"inner": {"a": {"names": 3}}}, "x: inner[...].names is not allowed; a name or a list of names"),
        ([], "x: it = [] is not allowed; a table"),
    ],
)
def test_a_complaint_says_what_a_description_says(value: Any, sentence: str):
    with pytest.raises(UsageError) as refused:
        as_type(value, Outer, "x")
    assert str(refused.value) == sentence


def test_a_single_run_is_one_part(tmp_path: Path):
    import pandas as pd

    run, fits = run_of({"id": "r"}), pd.DataFrame({"cell": []})
    assert [(name, part) for name, part, _ in parts(run, fits)] == [("", run)]

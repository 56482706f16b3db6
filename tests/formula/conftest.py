"""A folder with a table and a scenario of a formula."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.formula.make import load
from bench.types import Scenario

ROWS = """site,age,dose,region,smoker,days,n,y
a,30,1.5,west,yes,10,2,3.1
a,41,0.5,east,no,20,1,2.0
b,52,2.5,north,no,30,3,4.5
b,63,1.0,east,yes,40,1,2.2
c,74,3.0,west,no,50,2,5.3
c,35,2.0,north,yes,60,1,3.9
a,46,0.8,west,no,70,4,2.4
b,57,1.7,east,no,80,2,3.3
"""


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Scenario]:
    """`made(formula, rows=…, likelihood=…, data={…}, priors={…}, holdout={…})`: the scenario, read from its file."""

    def make(formula: str, rows: str | bytes = ROWS, **tables: Any) -> Scenario:
        raw = rows if isinstance(rows, bytes) else rows.encode()
        (tmp_path / "rows.csv").write_bytes(raw)
        lines = [f"formula = {json.dumps(formula)}"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in tables.items() if not isinstance(value, dict)]
        for name, table in {"data": {}, **tables}.items():
            if isinstance(table, dict):
                full = {"file": "rows.csv", **table} if name == "data" else table
                lines += [f"[{name}]", *(f"{json.dumps(k)} = {_toml(v)}" for k, v in full.items())]
        (tmp_path / "mine.toml").write_text("\n".join(lines) + "\n")
        return load(tmp_path / "mine.toml")

    return make


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)

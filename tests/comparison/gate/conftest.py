"""Runs of stated noise, as the file of pytest-benchmark that holds them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bench.analysis.tables import RunTables
from bench.comparison import document
from bench.comparison.baseline import Source
from tests.comparison.runs import Cell, run

BETWEEN, WITHIN = 0.14, 0.08
"""sd of log seconds between fresh children of one contender and within one, measured on an idle shared machine."""
NOISY = Cell(between=BETWEEN, within=WITHIN)


def noisy(*cells: Cell, seed: int, rounds: int = 5, **manifest: Any) -> RunTables:
    return run(*(cells or (NOISY,)), seed=seed, rounds=rounds, **manifest)


@cache
def stored(tables: RunTables, deselected: tuple[str, ...] = ()) -> Source:
    """What is left of a run when it has been through the JSON file; as it was when first asked for."""
    firsts = tables.fits.drop_duplicates("cell")
    names = {str(row["cell"]): f"{row['scenario']}/{row['backend']}" for _, row in firsts.iterrows()}
    held = json.loads(json.dumps({document.KEY: document.render(tables, names, deselected)}, allow_nan=False))
    return Source(document.tables(held), "base.json", document.names(held), frozenset(deselected))


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., str]:
    """A run as a file."""

    def write(tables: RunTables, name: str) -> str:
        file = tmp_path / name
        file.write_text(json.dumps({document.KEY: document.render(tables, {}), "benchmarks": []}))
        return str(file)

    return write

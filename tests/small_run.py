"""A finished, scored run of a fake contender, made in this process in about a second; tests damage copies of it."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

from bench.store.folder import RunFolder
from tests import in_process
from tests.conftest import FAKES
from tests.measure.inprocess import InProcess


def make(place: Path) -> Path:
    """The folder of a run of two fits each of `fake.exact` and `fake.instrument`, below `place`."""
    with mock.patch("bench.measure.local.Local", InProcess), mock.patch.dict(os.environ):
        names = ("-s", "correlated-rho95", "-b", "fake.exact", "-b", "fake.instrument", "--name", "r")
        done = in_process.run("run", *names, cwd=place, variables={"BENCH_BACKENDS": str(FAKES)})
    assert done.code == 0, done.err
    return place / "results" / "r"


def fit_of(run: Path, backend: str, rep: int) -> Path:
    """The folder of a fit."""
    entry = next(cell for cell in RunFolder(run).manifest().cells if cell.backend == backend)
    return RunFolder(run).fit(entry.id, rep)

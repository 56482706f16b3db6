"""Runs of fake contenders, made from Python in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

import bench
from tests.conftest import FAKES
from tests.in_process import forget
from tests.measure.inprocess import InProcess


@pytest.fixture(scope="module")
def in_process() -> Iterator[None]:
    """Children are calls; the fakes are among the backends."""
    forget()
    with (
        mock.patch("bench.measure.local.Local", InProcess),
        mock.patch.dict(os.environ, {"BENCH_BACKENDS": str(FAKES)}),
    ):
        yield
    forget()


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """What the run has said."""
    return []


@pytest.fixture(scope="module")
def made(in_process: None, tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> bench.Run:
    """Two rounds of two fits each of one contender."""
    place: Path = tmp_path_factory.mktemp("api")
    return bench.run(
        "correlated-rho95[n_obs=20]", "fake.exact", reps=2, rounds=3, results=place, name="r", progress=lines.append
    )

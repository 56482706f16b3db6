"""Fakes on the path of every child, results in a temporary folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
FAKES = ROOT / "tests" / "fakes"


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """References and verifications of this session, apart from the user's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["BENCH_CACHE"] = str(folder)
    return folder


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake framework is among the backends of this process and its children."""
    monkeypatch.setenv("BENCH_BACKENDS", str(FAKES))


@pytest.fixture
def bench(tmp_path: Path, fakes: None) -> Callable[..., Outcome]:
    """Run the command line in a process of its own, in a temporary folder."""

    def call(*args: str, timeout: float = 300.0) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "bench", *args],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call

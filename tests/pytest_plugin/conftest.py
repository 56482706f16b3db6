"""pytest in a process of its own, on a small project with a contender that replays recorded timings."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests import in_process

FAKES = Path(__file__).parent / "fakes"
FIT = "replay.recorded[chains=2,draws=100,warmup=10]"
"""The contender of these tests; its brackets make it small."""
ROUNDS = ("--bench-rounds", "5", "--bench-reps", "2")
NOT_TIMED = {"--collect-only", "--benchmark-skip", "--bench-check", "no:benchmark"}


@dataclass
class Ended:
    code: int
    out: str
    file: Path

    @property
    def json(self) -> Any:
        return json.loads(self.file.read_text(), parse_constant=lambda name: pytest.fail(f"{name} in the JSON"))

    @property
    def benchmarks(self) -> dict[str, Any]:
        return {entry["name"]: entry for entry in self.json["benchmarks"]}


@dataclass
class Project:
    """A user's own project: one test, a pytest.ini that makes warnings errors, nothing of this repository."""

    path: Path
    cache: Path
    runs: int = 0

    def pytest(
        self, *args: str, backends: Path = FAKES, plant: dict[str, Any] | None = None, keep: tuple[str, ...] = ()
    ) -> Ended:
        saved, env = self.saved(args), self.environment(backends, plant, keep)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *saved, *args],
            cwd=self.path, env=env, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout + done.stderr, self.file)

    @property
    def file(self) -> Path:
        """What the last pytest writes."""
        return self.path / f"benchmarks-{self.runs}.json"

    def saved(self, args: tuple[str, ...]) -> list[str]:
        """The option that has the next pytest write a file of its own, where it measures."""
        self.runs += 1
        measured = any(a.startswith("--bench-") for a in args) and not NOT_TIMED & {*args}
        return [f"--benchmark-json={self.file}"] if measured else []

    def environment(
        self, backends: Path = FAKES, plant: dict[str, Any] | None = None, keep: tuple[str, ...] = ()
    ) -> dict[str, str]:
        """Variables of a pytest of its own."""
        own = {k: v for k, v in os.environ.items() if k in keep or not k.startswith(("PYTEST_", "COV_"))}
        own |= {"BENCH_BACKENDS": str(backends), "BENCH_CACHE": str(self.cache), "COLUMNS": "200"}
        return own | {"REPLAY": json.dumps(plant or {})}

    def here(self, *args: str, **options: Any) -> Ended:
        """The same in this process, its children apart: without the seconds that another takes to import all."""
        saved, said = self.saved(args), io.StringIO()
        in_process.forget()
        with (
            contextlib.chdir(self.path),
            mock.patch.dict(os.environ, self.environment(**options), clear=True),
            mock.patch.object(sys, "path", [*sys.path]),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            code = pytest.main(["-p", "no:cacheprovider", *saved, *args])
        in_process.forget()
        sys.modules.pop("test_own", None)
        return Ended(int(code), said.getvalue(), self.file)

    def refused(self, *args: str) -> str:
        """What pytest says of arguments that are a usage error, before it collects anything."""
        ended = self.here(*args)
        assert ended.code == pytest.ExitCode.USAGE_ERROR, ended.out
        return ended.out

    def fits(self, *args: str, **options: Any) -> Ended:
        """One scenario × the replaying contender, in five rounds."""
        return self.here(*select(), *ROUNDS, *args, **options)


def select(scenario: str = "s4-linear", backend: str = FIT) -> tuple[str, ...]:
    return "--bench-scenario", scenario, "--bench-backend", backend


def make(path: Path, cache: Path) -> Project:
    path.mkdir(exist_ok=True)
    (path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\naddopts = --strict-markers\n")
    (path / "test_own.py").write_text("def test_own():\n    assert 1 + 1 == 2\n")
    return Project(path, cache)


@pytest.fixture
def project(tmp_path: Path, cache: Path) -> Project:
    return make(tmp_path / "project", cache)


@pytest.fixture(scope="session")
def baseline(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Ended:
    """Identical code, measured before, with noise of its own."""
    ended = make(tmp_path_factory.mktemp("baseline"), cache).fits(plant={"noise": 1})
    assert ended.code == 0, ended.out
    return ended


Edit = Callable[[Any], None]


@pytest.fixture
def edited(baseline: Ended, tmp_path: Path) -> Callable[[Edit], str]:
    """The baseline's file, changed."""

    def write(edit: Edit) -> str:
        held = baseline.json
        edit(held)
        file = tmp_path / "edited.json"
        file.write_text(json.dumps(held))
        return str(file)

    return write

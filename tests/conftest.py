"""Fakes on the path of every child, results in a temporary folder."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests import in_process
from tests.frameworks import OPTIONAL, absent, version_of
from tests.in_process import Outcome

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # a suite that runs in the background of a shell ignores Ctrl-C, and so would what it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests run side by side: threads of numerical libraries would wait for one another on the same CPUs. Compiled programs
# run for milliseconds here, so that optimising and fusing them costs more than it gains:
# unfused they compile in half the time.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
FUSION = "--xla_cpu_use_fusion_emitters=false" if version_of("jaxlib").startswith("0.10.") else ""  # later ones lack it
os.environ.setdefault("XLA_FLAGS", f"--xla_backend_optimization_level=0 {FUSION}".strip())

# What is installed in environments of frameworks is no business of any test but those of tests/environments.
os.environ["BENCH_ENVS"] = os.path.join(os.sep, "nonexistent", "environments")

ROOT = Path(__file__).resolve().parents[1]
FAKES = ROOT / "tests" / "fakes"


def pytest_addoption(parser: pytest.Parser) -> None:
    what = "only tests that need none, or this one; may be given several times"
    parser.addoption("--framework", action="append", choices=("none", *OPTIONAL), help=what)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """A file that is marked as a whole for a framework that is not installed is not even imported."""
    if collection_path.suffix != ".py" or not collection_path.name.startswith("test_"):
        return None
    mark = re.search(r"^pytestmark = pytest\.mark\.needs\((.*)\)$", collection_path.read_text(), re.MULTILINE)
    named = re.findall(r'"(\w+)"', mark[1]) if mark else []
    return True if any(absent(name) for name in named) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --framework, keep the tests it names; one that needs what is not installed is skipped with the reason."""
    wanted = config.getoption("--framework")
    if wanted is not None:
        kept = [item for item in items if needs(item) & set(wanted) or ("none" in wanted and not needs(item))]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept
    for item in items:
        if why := "; ".join(filter(None, map(absent, sorted(needs(item))))):
            item.add_marker(pytest.mark.skip(reason=why))


def needs(item: pytest.Item) -> set[str]:
    """Packages beyond the core that a test imports: those of its marks `needs`, and what its parameters name."""
    found = {name for mark in item.iter_markers("needs") for name in mark.args}
    if "backends" in item.path.parts and hasattr(item, "callspec"):
        named = {v.partition(".")[0] for v in item.callspec.params.values() if isinstance(v, str)}
        found |= named & {*OPTIONAL}
    return found


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """References and verifications of this session, apart from the user's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["BENCH_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small scored run, made once and left as it is."""
    from tests import small_run

    return small_run.make(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def copied_run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of it, in the temporary folder's `results`."""
    return Path(shutil.copytree(finished_run, tmp_path / "results" / "r"))


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake framework is among the backends of this process and its children."""
    monkeypatch.setenv("BENCH_BACKENDS", str(FAKES))


@pytest.fixture
def bench(tmp_path: Path, fakes: None) -> Callable[..., Outcome]:
    """Run the command line in this process, in a temporary folder; pages have figures with `drawn=True`."""
    return partial(in_process.run, cwd=tmp_path)


@pytest.fixture
def bench_process(tmp_path: Path, fakes: None) -> Callable[..., Outcome]:
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

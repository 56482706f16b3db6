"""Fakes on the path of every child, results in a temporary folder."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests import in_process
from tests.in_process import Outcome

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # a suite that runs in the background of a shell ignores Ctrl-C, and so would what it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests run side by side: threads of numerical libraries would wait for one another on the same CPUs. Compiled programs
# run for milliseconds here, so that optimising and fusing them costs more than it gains:
# unfused they compile in half the time.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false")

ROOT = Path(__file__).resolve().parents[1]
FAKES = ROOT / "tests" / "fakes"
FRAMEWORKS = ("torch", "pyro", "numpyro", "sklearn")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--framework", choices=("none", *FRAMEWORKS), help="only tests that need none, or this one")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With --framework, a file that is marked as a whole for what is not installed is not even imported."""
    if config.getoption("--framework") is None or collection_path.suffix != ".py":
        return None
    mark = re.search(r"^pytestmark = pytest\.mark\.needs\((.*)\)$", collection_path.read_text(), re.MULTILINE)
    named = re.findall(r'"(\w+)"', mark[1]) if mark else []
    return True if any(find_spec(name) is None for name in named) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --framework, keep the tests it names; one that needs another package too is skipped with the reason."""
    wanted = config.getoption("--framework")
    if wanted is None:
        return
    kept = [item for item in items if (wanted in needs(item) if wanted != "none" else not needs(item))]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept
    for item in kept:
        if absent := [name for name in needs(item) if find_spec(name) is None]:
            item.add_marker(pytest.mark.skip(reason=f"needs {', '.join(absent)}, which is not installed here"))


def needs(item: pytest.Item) -> set[str]:
    """Packages beyond the core that a test imports: those of its marks `needs`, and what its parameters name."""
    found = {name for mark in item.iter_markers("needs") for name in mark.args}
    if "backends" in item.path.parts and hasattr(item, "callspec"):
        named = {v.partition(".")[0] for v in item.callspec.params.values() if isinstance(v, str)}
        found |= named & {*FRAMEWORKS}
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
    """Run the command line in this process, in a temporary folder."""
    return lambda *args: in_process.run(*args, cwd=tmp_path)


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

"""In a project that does not ask for fits the plugin is not felt."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.pytest_plugin.conftest import Project, select


def test_importing_it_imports_pytest_and_nothing_heavy():
    code = (
        "import sys, pytest\nbefore = set(sys.modules)\nimport bench.pytest_plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"bench", "bench.pytest_plugin"}


ALONE = ("--disable-plugin-autoload", "-p", "pytest_benchmark.plugin", "-p", "bench.pytest_plugin")
"""Without the plugins of what else is installed, which may import anything."""


def test_a_project_without_fits_imports_nothing_of_the_harness(project: Project):
    (project.path / "test_own.py").write_text(
        "import sys\n\n\ndef test_own():\n"
        "    heavy = {'numpy', 'pandas', 'torch', 'jax', 'pyro', 'numpyro', 'sklearn', 'typer', 'rich'}\n"
        "    assert not heavy & set(sys.modules)\n"
        "    assert {m for m in sys.modules if m.startswith('bench')} <= {'bench', 'bench.pytest_plugin'}\n"
    )
    ended = project.pytest("-q", *ALONE)
    assert ended.code == 0 and "1 passed" in ended.out and "bench:" not in ended.out


def test_without_pytest_benchmark_it_loads_and_says_what_it_needs(project: Project):
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:benchmark", "-p", "no:cacheprovider"]
    assert subprocess.run(run, cwd=project.path, capture_output=True, check=False).returncode == 0
    assert "needs pytest-benchmark" in project.refused("-p", "no:benchmark", *select())


MISTAKES = [
    (["--bench-suite", "quik"], "did you mean quick"),
    (["--bench-suite", "quick", "-n", "2"], "leave out -n"),
    (["--bench-baseline", "base.json"], "needs benchmarks to judge: --bench-suite"),
    (["--bench-backend", "torch.adm"], "did you mean torch.adam"),
    (["--bench-suite", "quick", "--bench-budget", "large"], "unknown budget 'large'"),
    (["--bench-suite", "quick", "--bench-reps", "1"], "at least 2"),
    (["--bench-suite", "quick", "--bench-timeout", "0"], "above 0"),
    (["--bench-suite", "quick", "--bench-gate", "seconds>5%"], "unknown metric 'seconds'"),
    (["--bench-suite", "quick", "--bench-gate", "seconds_total<5%"], "better when lower"),
]


@pytest.mark.parametrize(("args", "said"), MISTAKES)
def test_bad_input_is_one_sentence_before_anything_runs(project: Project, args: list[str], said: str):
    found = project.refused(*args)
    assert said in found and "Traceback" not in found


@pytest.mark.slow
def test_it_works_without_autoload(project: Project, monkeypatch: pytest.MonkeyPatch):
    """As `-p` names it, where entry points are not read."""
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(ALONE))
    ended = project.pytest(*select(backend="exact.posterior"), "--collect-only", "-q", keep=("PYTEST_ADDOPTS",))
    assert ended.code == 0 and "bench::s4-linear/exact.posterior" in ended.out

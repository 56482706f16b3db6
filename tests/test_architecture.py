"""Arrows that must never exist, checked on processes and on the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from bench.catalog.frameworks import frameworks

ROOT = Path(__file__).resolve().parents[1]
FRAMEWORKS = {package for framework in frameworks().values() for package in framework.packages} - {"numpy", "scipy"}


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sorted(m.partition('.')[0] for m in sys.modules))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("args", [["list"], ["--help"], ["run", "--help"], ["list", "metrics"], ["info", "b2_max"]])
def test_light_verbs_import_no_framework_no_pandas_no_numpy(args):
    code = (
        f"sys.argv = ['bench', *{args!r}]\nfrom bench.cli import main\ntry:\n    main()\nexcept SystemExit:\n    pass"
    )
    assert not modules_after(code) & (FRAMEWORKS | {"pandas", "numpy", "scipy", "arviz", "xarray"})


def test_a_list_converts_and_hashes_nothing():
    """pydantic, with which typer converts values, takes longer to import than the list takes to make."""
    code = "sys.argv = ['bench', 'list', '--results', 'nowhere']\nfrom bench.cli import main\ntry:\n    main()\n"
    assert not modules_after(f"{code}except SystemExit:\n    pass") & {"pydantic", "hashlib", "msgspec", "rich"}


def test_the_worker_imports_no_tables_and_no_framework():
    assert not modules_after("import bench.measure.worker") & (
        FRAMEWORKS | {"pandas", "xarray", "arviz", "pyarrow", "rich"}
    )


def test_planning_a_run_imports_no_framework():
    loaded = modules_after("from bench.plan import make, Choice; make(Choice())")
    assert not loaded & (FRAMEWORKS | {"pandas", "xarray", "arviz"})


@cache
def nodes(file: Path) -> list[ast.AST]:
    """What its source consists of."""
    return list(ast.walk(ast.parse(file.read_text())))


@cache
def imports(file: Path) -> set[str]:
    found = set()
    for node in nodes(file):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_no_framework_is_imported_in_bench_or_scenarios_even_inside_functions():
    for file in [*(ROOT / "bench").rglob("*.py"), *(ROOT / "scenarios").rglob("*.py")]:
        assert not {name.partition(".")[0] for name in imports(file)} & FRAMEWORKS, file


def test_frameworks_do_not_import_each_other_and_only_the_worker_imports_backends():
    for file in (ROOT / "backends").glob("*/*.py"):
        own = file.parent.name
        others = {name for name in imports(file) if name.startswith("backends.") and name.split(".")[1] != own}
        assert {name.split(".")[1] for name in others} <= {"_shared"}, file
    for file in (ROOT / "bench").rglob("*.py"):
        assert not any(name.partition(".")[0] == "backends" for name in imports(file)), file


def test_only_the_cli_prints_or_exits():
    for file in (ROOT / "bench").rglob("*.py"):
        if "cli" in file.parts or file.name in {"worker.py", "forkserver.py", "__main__.py"}:
            continue
        for node in nodes(file):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert name not in {"print", "sys.exit", "exit", "quit", "os._exit"}, f"{file}:{node.lineno}"


ALGORITHMS = ("chees.py", "metropolis.py", "sgd.py")
"""Methods of torch whose file is the algorithm itself, or one model in several forms; all others adapt a library's."""


def test_backend_files_are_short_and_quiet():
    for file in (ROOT / "backends").glob("*/*.py"):
        text = file.read_text()
        tree = ast.parse(text)
        if any(line.startswith("KIND") for line in text.splitlines()):
            assert len(text.splitlines()) <= 80 or (file.parent.name == "torch" and file.name in ALGORITHMS), file
            defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
            defined |= {a.name for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
            assert {"build", "fit", "draw"} <= defined, file
            assert "print(" not in text and "perf_counter" not in text, file
            assert not any(isinstance(n, ast.Try) for n in ast.walk(tree)), f"{file}: errors are the worker's to catch"

"""The notebook of docs/python.md: its cells are the page's, and run."""

from __future__ import annotations

import ast
import json
import linecache
import re
from pathlib import Path
from typing import Any

import pytest

import bench
from tests.conftest import ROOT

PAGE, NOTEBOOK = ROOT / "docs" / "python.md", ROOT / "docs" / "python.ipynb"


def cells() -> list[str]:
    """The code of the notebook."""
    notebook = json.loads(NOTEBOOK.read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] for cell in code)
    return ["".join(cell["source"]) for cell in code]


def shown(code: str, names: dict[str, Any]) -> Any:
    """Run a cell; what a notebook shows of it, the value of its last line where that is an expression."""
    *body, last = ast.parse(code).body
    cell = f"<cell {len(linecache.cache)}>"
    linecache.cache[cell] = (len(code), None, code.splitlines(keepends=True), cell)  # as a notebook keeps its source
    exec(compile(ast.Module(body, []), cell, "exec"), names)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), cell, "eval"), names)
    exec(compile(ast.Module([last], []), cell, "exec"), names)
    return None


def test_the_notebook_is_the_page() -> None:
    assert cells() == [code.rstrip("\n") for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)]


@pytest.mark.slow
@pytest.mark.needs("arviz")
def test_every_cell_runs(in_process: None, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    values = [shown(code, names) for code in cells()]
    assert [type(value).__name__ for value in values] == [
        "NoneType", "NoneType", "DataFrame", "DataFrame", "DataArray", "Page", "Drawing", "Shown",
        "DataFrame", "DataFrame",
        "Comparison", "DataFrame", "NoneType",
    ]  # fmt: skip
    said = capsys.readouterr().out
    assert "did you mean correlated-rho95" in said and "[2/2]" in said
    assert isinstance(names["run"], bench.Run) and values[2]["status"].tolist() == ["ok"] * 4
    assert list(values[3].columns) == ["exact.posterior", "numpy.gd"]
    slope = values[8].query("part == 'weights[0]' and metric == 'mean'")["value"].item()
    # least squares gives 34.75 / 17.5; 2000 draws of sd 0.08 have a mean within 0.002, and the prior moves it by less
    assert slope == pytest.approx(34.75 / 17.5, abs=0.02)
    rate = values[9]["value"].item()
    # the mean of Gamma(6, 5.5); 1000 draws of sd 0.45, correlated over some ten, know it to 0.05
    assert rate == pytest.approx(6 / 5.5, abs=0.25)
    assert names["comparison"].outcome == "ok"

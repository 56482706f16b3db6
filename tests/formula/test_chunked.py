"""Designs of files that are read a part at a time: those of the whole file, without holding it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench import chunks
from bench.data import dataset, family, few_rows
from bench.errors import ScenarioError
from bench.formula.make import load
from bench.types import Scenario
from tests.conftest import ROOT

FORMULA = "y ~ age + log(dose) + region + smoker * age + offset(days)"


def table(n: int = 60) -> pd.DataFrame:
    """Regions of which one comes late, yes and no, a column of 0 and 1, and gaps in three columns."""
    rng = np.random.default_rng(0)
    region = np.where(np.arange(n) < n - 5, rng.choice(["west", "north"], n), "east").astype(object)
    frame = pd.DataFrame(
        {
            "y": rng.standard_normal(n).round(3),
            "age": rng.integers(20, 80, n).astype(float),
            "dose": rng.uniform(0.1, 3.0, n).round(2),
            "region": region,
            "smoker": rng.choice(["true", "false"], n),
            "days": rng.uniform(0.0, 1.0, n).round(2),
        }
    )
    for row, column in ((3, "age"), (4, "age"), (20, "region"), (41, "dose")):
        frame.loc[row, column] = None
    return frame


def scenario(folder: Path, rows: int, file: str, formula: str = FORMULA, **data: Any) -> Scenario:
    """A scenario of that file; of all rows at once where `rows` is 0."""
    known = "".join(f"{key} = {json.dumps(value)}\n" for key, value in data.items())
    chunked = f"chunk_rows = {rows}\n" if rows else ""
    toml = folder / f"rows{rows}-{file.replace('.', '-')}.toml"
    toml.write_text(
        f'formula = "{formula}"\n{chunked}[data]\nfile = "{file}"\n{known}[priors]\nsigma = {{known = 0.5}}\n'
    )
    return load(toml)


@pytest.mark.parametrize("file", ["rows.csv", "rows.parquet"])
@pytest.mark.parametrize("standardise", [False, True])
def test_a_design_in_chunks_is_that_of_the_whole_file(file: str, standardise: bool, tmp_path: Path) -> None:
    frame = table()
    if file.endswith("csv"):
        frame.to_csv(tmp_path / file, index=False, sep=";", decimal=",")
    else:
        frame.to_parquet(tmp_path / file, index=False)
    how = {"missing": "drop", "standardise": standardise}
    whole, part = (scenario(tmp_path, rows, file, **how).design for rows in (0, 7))
    assert whole is not None and part is not None
    assert part.labels == whole.labels and part.terms == whole.terms and part.levels == whole.levels
    assert "region[west]" in part.labels["weights"]  # held against east, which is in the last chunk alone
    assert part.dropped == {"age": 2, "region": 1, "dose": 1}
    assert {name: count for name, count in whole.dropped.items() if count} == part.dropped
    assert part.notes == whole.notes
    for name, values in whole.arrays.items():
        assert chunks.in_file(part.arrays[name]) and not part.arrays[name].flags.writeable
        assert part.arrays[name].flags.aligned
        np.testing.assert_allclose(part.arrays[name], values, rtol=1e-12, atol=1e-12)  # means of parts, merged


def test_its_posterior_is_that_of_sums_over_the_rows(tmp_path: Path) -> None:
    """With sigma known and normal priors: (X'X/σ² + 1/s²)⁻¹ (X'y/σ²), by NumPy from the file itself."""
    frame = table().dropna()
    frame.to_parquet(tmp_path / "rows.parquet", index=False)
    made = scenario(tmp_path, 11, "rows.parquet", "y ~ age + dose", standardise=True)
    data = dataset(made, seed=0, rep=0)
    assert data.chunk_rows == 11
    known = family("linear").reference(data)
    x = frame[["age", "dose"]].to_numpy()
    x = np.column_stack([(x - x.mean(0)) / x.std(0), np.ones(len(x))])
    scales = np.append(np.broadcast_to(made.priors["weights"].args[1], 2), made.priors["bias"].args[1])
    centre = np.array([0.0, 0.0, made.priors["bias"].args[0]])
    precision = x.T @ x / 0.25 + np.diag(1.0 / scales**2)
    shifted = frame["y"].to_numpy() - x @ centre
    mean = centre + np.linalg.solve(precision, x.T @ shifted / 0.25)
    np.testing.assert_allclose(np.append(known.mean["weights"], known.mean["bias"]), mean, rtol=1e-9, atol=1e-12)
    few = few_rows(made)
    assert few.design is not None and not chunks.in_file(few.design.arrays["x"])


@pytest.mark.parametrize("rows", [0, 2])
def test_a_refused_formula_is_shown_as_it_was_typed(rows: int, tmp_path: Path) -> None:
    (tmp_path / "same.csv").write_text("x,y\n1,1\n1,2\n1,3\n")
    with pytest.raises(ScenarioError, match="formula = 'y ~ x' is not allowed; column x is the same in every row"):
        scenario(tmp_path, rows, "same.csv", "y ~ x")


@pytest.mark.parametrize("rows", [0, 2])
def test_a_file_without_a_whole_row_is_refused(rows: int, tmp_path: Path) -> None:
    (tmp_path / "gaps.csv").write_text("x,y\n1,\n,2\n3,\n")
    with pytest.raises(ScenarioError, match="every row has a gap in a column that is needed"):
        scenario(tmp_path, rows, "gaps.csv", "y ~ x", missing="drop")


@pytest.mark.parametrize(
    ("formula", "tables", "why"),
    [
        ("y ~ age", {"chunk_rows": 0}, "whole number of 1 to"),
        ("y ~ scale(age)", {"chunk_rows": 3}, "scale needs all rows at once"),
        ("y ~ age + (1 | site)", {"chunk_rows": 3}, "allowed keys"),
        ("y ~ age", {"chunk_rows": 3, "likelihood": "student_t"}, "allowed keys"),
        ("y ~ age", {"chunk_rows": 3, "holdout": {"share": 0.2}}, "no rows are held out"),
        ("y ~ age", {"chunk_rows": 3, "data": {"frequency": "n"}}, "data that are read in chunks have none"),
        ("y ~ nobody", {"chunk_rows": 3}, "nobody"),
    ],
)
def test_what_needs_all_rows_is_refused(
    formula: str, tables: dict[str, Any], why: str, made: Callable[..., Scenario]
) -> None:
    with pytest.raises(ScenarioError, match=why):
        made(formula, **tables)


def test_lines_are_counted_over_chunks(made: Callable[..., Scenario]) -> None:
    rows = "y,a\n" + "1,2\n" * 7 + "2,\n3,4\n"
    with pytest.raises(ScenarioError, match="line 9, column a: no value"):
        made("y ~ a", rows=rows, chunk_rows=3)
    with pytest.raises(ScenarioError, match="line 9, column a: 'x' is no number"):
        made("y ~ a", rows=rows.replace("2,\n", "2,x\n"), chunk_rows=3)
    with pytest.raises(ScenarioError, match="column a is the same in every row"):
        made("y ~ a", rows="y,a\n" + "1,2\n2,2\n" * 4, chunk_rows=3)


MEMORY = """
import sys
from pathlib import Path
import numpy as np, pandas, formulaic, pyarrow as pa
from pyarrow import parquet
from bench.data import dataset, family
from bench.formula.make import load

folder, (n, width, rows) = Path(sys.argv[1]), map(int, sys.argv[2:])
rng, names = np.random.default_rng(0), [f"c{i}" for i in range(width)]
with parquet.ParquetWriter(folder / "big.parquet", pa.schema([(name, pa.float64()) for name in ["y", *names]])) as out:
    for _ in range(n // rows):
        out.write_table(pa.table({name: rng.standard_normal(rows) for name in ["y", *names]}))
toml = folder / "big.toml"
toml.write_text(f'formula = "y ~ {" + ".join(names)}"\\nchunk_rows = {rows}\\n[data]\\nfile = "big.parquet"\\n')

def most():
    return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) * 1024

before = most()
data = dataset(load(toml), seed=0, rep=0)
family("linear").reference(data)
print(most() - before, sum(a.nbytes for a in data.arrays.values()))
"""


@pytest.mark.slow
def test_memory_stays_within_chunks(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path), "700000", "20", "10000"],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    grown, size = map(int, done.stdout.split())
    # a chunk of 10 000 rows × 21 is 1.7 MB, with copies as frame, design and piece, and Arrow keeps 30 MB of buffers
    assert size == 700_000 * 21 * 8 and grown < 80e6

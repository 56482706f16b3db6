"""Scenario, suite, configuration and backend files that nobody meant to write."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from bench.catalog import backends, places, suites
from bench.catalog.scenarios import load
from bench.cli import compare, options, run
from bench.cli.options import config
from bench.comparison.rows import Request
from bench.data import dataset, family
from bench.errors import NoReference, UsageError
from bench.formula import make
from bench.plan import _described
from bench.reference import stored
from bench.types import Scenario, digest_of
from tests.fuzz.inputs import ROOT, TABLES, TEXTS, VALUES, broken_text, mutated, spliced, toml_file
from tests.fuzz.properties import fuzzed, outcome
from tests.store.strangers import bytes_changed

FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))
(FOLDER / "data").symlink_to(ROOT / "scenarios" / "data")
SMALL = 20_000
SUITES = [(f.read_text()) for f in sorted((ROOT / "scenarios" / "suites").glob("*.toml"))]
CONFIGS = [
    {"scenario": ["s4-linear"], "backend": "torch.adam", "reps": 2, "timeout": 3, "memory": "4G", "track": "matched"},
    {"fail_on": ["seconds_total>10%"], "all": True, "format": "json", "metric": ["elpd"]},
]
ROWS = "site,age,dose,smoker,y\na,30,1.5,yes,3.1\nb,41,0.5,no,2.0\na,52,2.5,no,4.5\nb,63,1.0,yes,2.2\na,74,3.0,no,5.3\n"
FORMULAS = ["y ~ age + dose", "y ~ C(smoker) * age", "y ~ dose + (1 | site)", "y ~ 0 + log(age) + I(dose**2)"]
SIGNS = st.sampled_from(
    [*"~+-*:|()^0'{", "C(", "**", "1/0", "__import__('os')", "y", "nosuch", "(1 | ", "9" * 400, "\n"]
)
BACKENDS = [(ROOT / "backends" / name).read_text() for name in ("torch/adam.py", "pyro/svi.py", "numpy/gd.py")]


def written(raw: bytes, name: str = "fuzzed.toml") -> Path:
    file = FOLDER / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(raw)
    return file


def check_scenario(raw: bytes) -> None:
    made = outcome(load, written(raw))
    if isinstance(made, UsageError):
        assert "fuzzed.toml" in str(made)
        return
    assert isinstance(made, Scenario)
    digest_of(json.dumps(_described(made), allow_nan=False))
    parameters = family(made.family).parameters(made)
    if sum(p.size for p in parameters) + size(made.settings) + size(made.holdout) < SMALL:
        data = outcome(dataset, made, seed=0, rep=0)
        if not isinstance(data, UsageError):
            assert all(np.isfinite(a).all() for a in (*data.arrays.values(), *data.start.values()))


def size(settings: object) -> int:
    """No fewer numbers than a data set of these settings has."""
    counts = settings if isinstance(settings, dict) else {}
    n = 1
    for key, value in counts.items():
        if key in {"n_obs", "n_features", "n_per_group", "n_schools"} and value is not None:
            n *= sum(value) if isinstance(value, list) else value
        if key == "outside":
            n += value["n_obs"] * 100
    return n


@fuzzed(mutated(TABLES), quick=80, slow=500)
def test_a_mutated_scenario_file_is_read_or_refused(tree):
    check_scenario(toml_file(tree))


@fuzzed(st.dictionaries(st.sampled_from(sorted({k for t in TABLES for k in t})), VALUES), quick=30, slow=300)
def test_a_nonsense_scenario_file_is_refused(tree):
    check_scenario(toml_file({"family": "linear", **tree}))


@fuzzed(broken_text(TEXTS), quick=40, slow=125)
def test_a_broken_scenario_text_is_read_or_refused(raw):
    check_scenario(raw)


@fuzzed(broken_text(SUITES), quick=40, slow=75)
def test_a_broken_suite_is_read_or_refused(raw):
    os.environ["BENCH_SCENARIOS"] = str(FOLDER / "suite")
    try:
        written(raw, "suite/suites/fuzzed.toml")
        made = outcome(suites.suite, "fuzzed")
    finally:
        del os.environ["BENCH_SCENARIOS"]
    assert not isinstance(made, UsageError) or "fuzzed.toml" in str(made)


def check_formula(formula: str, rows: bytes) -> None:
    written(rows, "table/rows.csv")
    made = outcome(make.load, written(toml_file({"formula": formula, "data": {"file": "rows.csv"}}), "table/own.toml"))
    if not isinstance(made, UsageError):
        assert all(np.isfinite(a).all() for a in dataset(made, seed=0, rep=0).arrays.values())


@fuzzed(broken_text([ROWS]), st.sampled_from(FORMULAS), quick=25, slow=300)
def test_a_broken_table_of_data_is_read_or_refused(raw, formula):
    check_formula(formula, raw)


@fuzzed(spliced(FORMULAS, SIGNS), quick=25, slow=300)
def test_a_formula_is_read_or_refused(formula):
    check_formula(formula, ROWS.encode())


@fuzzed(st.integers(0, 2**32), quick=40, slow=400)
def test_a_changed_file_of_references_is_read_or_refused(seed):
    raw = io.BytesIO()
    np.savez(raw, **{"digest/mean": np.zeros(3), "digest/method": np.array("long runs")})
    with contextlib.suppress(NoReference):
        stored.read(written(bytes_changed(raw.getvalue(), np.random.default_rng(seed)), "references.npz"))


@fuzzed(mutated(CONFIGS), st.sampled_from([run.CONFIG, compare.CONFIG]), quick=40, slow=250)
def test_a_configuration_file_is_read_or_refused(tree, allowed):
    file = written(toml_file(tree))
    made = outcome(config, file, allowed)
    if isinstance(made, UsageError):
        assert "fuzzed.toml" in str(made)
        return
    assert set(made) <= set(allowed)
    if allowed is run.CONFIG:
        outcome(options.choice, made)
    else:
        outcome(lambda: Request.read(**{k: v for k, v in made.items() if k not in ("format", "all")}))


@fuzzed(broken_text(BACKENDS), quick=30, slow=200)
def test_a_broken_backend_file_is_read_or_refused_and_never_run(raw):
    os.environ["BENCH_BACKENDS"] = str(FOLDER / "backends")
    ran = FOLDER / "ran"
    try:
        written(b"PACKAGES = ()\n", "backends/odd/__init__.py")
        written(raw + f"\nopen({str(ran)!r}, 'w')\n".encode(), "backends/odd/one.py")
        backends.forget()
        made = outcome(backends.backend, "odd.one") if "odd.one" in places.backend_files() else None
    finally:
        del os.environ["BENCH_BACKENDS"]
        backends.forget()
    assert not ran.exists()
    if isinstance(made, UsageError):
        assert "one.py" in str(made)
    elif made is not None:
        outcome(made.validate, {"lr": 0.1})


@pytest.fixture(scope="module", autouse=True)
def tidy():
    import shutil

    yield
    shutil.rmtree(FOLDER, ignore_errors=True)

"""Data that lie in a file and are read in chunks: the same data, the same answers, no memory and no file left."""

from __future__ import annotations

import gc
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import chunks
from bench.catalog.scenarios import scenario
from bench.data import dataset, few_rows
from bench.errors import ScenarioError, UsageError
from scenarios.families.regression.linear import FAMILY as linear
from tests.conftest import ROOT

TABLE = {"n_obs": 1003, "n_features": 4, "weights": {"normal": [0, 1]}, "bias": 0.5, "noise": 0.1}
DESIGNS = ["normal", {"design": "uniform", "low": -1.0, "high": 3.0}]


@pytest.mark.parametrize("features", DESIGNS)
@pytest.mark.parametrize("rows", [7, 100, 5000])
def test_they_are_the_data_that_memory_would_hold(simulated_of, features, rows):
    whole = simulated_of({**TABLE, "features": features})
    parts = simulated_of({**TABLE, "features": features, "chunk_rows": rows})
    np.testing.assert_array_equal(parts.arrays["x"], whole.arrays["x"])
    # a product of matrices may round by the number of its rows: by a unit in the last place of terms of a few
    np.testing.assert_allclose(parts.arrays["y"], whole.arrays["y"], rtol=0, atol=1e-14)
    np.testing.assert_array_equal(parts.holdout["y"], whole.holdout["y"])
    assert parts.chunk_rows == rows and whole.chunk_rows == 0


def test_a_digest_by_blocks_is_that_of_all_bytes(simulated_of, monkeypatch):
    data = simulated_of({**TABLE, "chunk_rows": 100})
    monkeypatch.setattr("bench.data.HASHED_ROWS", 10**6)
    assert simulated_of({**TABLE, "chunk_rows": 100}).digest == data.digest


@pytest.mark.parametrize("condition", [10.0, 1e6])
def test_the_answers_are_those_of_the_rows_themselves(simulated_of, condition):
    """Also where X'X has lost all digits of the least direction: a condition of 1e6 is one of 1e12 there."""
    features = {"design": "multivariate_normal", "condition_number": condition}
    parts = simulated_of({**TABLE, "features": features, "chunk_rows": 100})
    whole = replace(parts, arrays={name: np.array(array) for name, array in parts.arrays.items()}, chunk_rows=0)
    exact, found = linear.reference(whole), linear.reference(parts)
    for name in whole.names:
        # both are exact to rounding, which the condition multiplies: 1e6 · 1e-16 of the coefficients, 1e-8 sd is ample
        np.testing.assert_allclose(found.mean[name], exact.mean[name], rtol=0, atol=1e-8 * exact.sd[name].max())
        np.testing.assert_allclose(found.sd[name], exact.sd[name], rtol=1e-8)
    assert found.log_evidence == pytest.approx(exact.log_evidence, abs=1e-8)
    z = linear.unconstrain(whole, exact.draw(20, np.random.default_rng(1)))
    z = np.concatenate([z, np.random.default_rng(0).normal(size=(20, whole.dim))])
    for ours, theirs in zip(linear.log_density(parts, z), linear.log_density(whole, z), strict=True):
        # sums of 1003 terms in two orders: √1003 roundings of the largest
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11 * np.abs(theirs).max())
    for objective in linear.OBJECTIVES:
        point, least = linear.optimum(parts, objective)
        assert linear.objective(whole, objective, point) == pytest.approx(least, abs=1e-8)
        assert least == pytest.approx(linear.optimum(whole, objective)[1], abs=1e-8)


def test_other_arrays_are_read_anew(simulated_of):
    data = simulated_of({**TABLE, "chunk_rows": 100})
    z = np.zeros((1, data.dim))
    before = linear.log_density(data, z)[0]
    moved = replace(data, arrays={**data.arrays, "y": data.arrays["y"] + 1.0})
    assert abs(linear.log_density(moved, z)[0] - before)[0] > 1.0


def test_chunks_are_copies_of_every_row_in_a_drawn_order(simulated_of):
    arrays = simulated_of({**TABLE, "chunk_rows": 100}).arrays
    parts = list(chunks.each(arrays, 100, np.random.default_rng(0)))
    assert [len(part["y"]) for part in parts].count(100) == 10
    together = np.concatenate([part["y"] for part in parts])
    assert not np.array_equal(together, arrays["y"])
    np.testing.assert_array_equal(np.sort(together), np.sort(arrays["y"]))
    assert all(part["x"].flags.owndata and part["x"].flags.writeable for part in parts)
    assert not arrays["x"].flags.writeable
    (whole,) = chunks.each(arrays, 0)
    assert whole["x"] is arrays["x"]


def test_the_file_has_no_name_and_goes_with_the_array(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "_folder", lambda: tmp_path)
    array = chunks.written([np.ones((3, 2)), np.zeros((1, 2))])
    assert array.tolist() == [[1, 1], [1, 1], [1, 1], [0, 0]] and not list(tmp_path.iterdir())
    maps = Path("/proc/self/maps")
    assert str(tmp_path) in maps.read_text()
    del array
    gc.collect()
    assert str(tmp_path) not in maps.read_text()


def test_a_place_that_takes_no_rows_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "_folder", lambda: tmp_path / "gone")
    with pytest.raises(UsageError, match=r"gone does not take the rows.*No such file.*after 0 rows.*TMPDIR"):
        chunks.written([np.ones((3, 2))])


@pytest.mark.parametrize("value", [0, -5, 2.5, True, "all", [100]])
def test_wrong_numbers_of_rows_are_refused(scenario_of, value):
    with pytest.raises(ScenarioError, match=r"chunk_rows = .* is not allowed; it must be a whole number"):
        scenario_of({**TABLE, "chunk_rows": value})


def test_data_of_a_file_are_not_read_in_chunks(scenario_of):
    with pytest.raises(ScenarioError, match="chunk_rows = 10 is not allowed; of fixed data those of a formula"):
        scenario_of({"chunk_rows": 10}, data={"file": "data/s0.csv"})
    with pytest.raises(UsageError, match="allowed keys"):
        scenario("logistic", {"chunk_rows": 10})


def test_densities_are_verified_on_few_rows_in_memory():
    chosen = scenario("out-of-core")
    few = dataset(few_rows(chosen), seed=0, rep=0)
    assert few.chunk_rows == 0 and few.arrays["x"].shape == (1000, 10)
    assert few.parameters == dataset(chosen, seed=0, rep=0).parameters
    usual = scenario("s2-minibatch")
    assert few_rows(usual) is usual
    many = scenario("growth", {"n_obs": 10_000_000})
    assert few_rows(many).settings["n_obs"] == 100_000 and few_rows(many).settings["n_features"] == 10


MEASURED = """
import numpy as np, scipy.interpolate, scipy.linalg, scipy.optimize, scipy.special, scipy.stats
from bench.catalog.scenarios import scenario
from bench.data import dataset, family
from bench.measure.residency import peak_bytes
linear = family("linear")
small = dataset(scenario("out-of-core", {"n_obs": 2000, "chunk_rows": 1000}), seed=0, rep=0)
linear.reference(small), linear.optimum(small, "least_squares")
before = peak_bytes()
data = dataset(scenario("out-of-core", {"n_obs": 2_000_000, "chunk_rows": 50_000}), seed=0, rep=0)
linear.reference(data), linear.optimum(data, "map")
print(peak_bytes() - before, sum(array.nbytes for array in data.arrays.values()))
"""


@pytest.mark.slow
def test_memory_is_that_of_a_few_chunks():
    done = subprocess.run([sys.executable, "-c", MEASURED], cwd=ROOT, capture_output=True, text=True, check=True)
    peak, size = map(int, done.stdout.split())
    chunk = 50_000 * 11 * 8
    assert size == 2_000_000 * 11 * 8
    assert peak < 8 * chunk < 0.25 * size  # a chunk, what it is made of, and copies of it

"""Calibration of real backends through the command line."""

import pandas as pd
import pytest


def table(path, name):
    return pd.read_parquet(path / "results" / "c" / f"{name}.parquet")


@pytest.mark.slow
@pytest.mark.needs("numpyro")
def test_numpyro_compiles_once_for_all_data_sets(bench, tmp_path):
    """JAX's own monitoring counts everything compiled, inside the timed phases and outside."""
    backend = "numpyro.nuts[warmup=100,draws=100]"
    done = bench("calibrate", "-s", "s0-uniform", "-b", backend, "--datasets", "20", "--name", "c", "--json")
    assert done.json["cells"][0]["compiles"] == 1, done.err
    fits = table(tmp_path, "datasets").sort_values("dataset")
    assert set(fits.status) == {"ok"}
    assert fits.seconds_compiled[0] > 0.1
    assert (fits.seconds_compiled[1:] == 0.0).all()
    assert fits.data_digest.nunique() == 20


@pytest.mark.needs("numpyro")
@pytest.mark.slow
def test_a_sampler_is_calibrated(bench, monkeypatch, tmp_path):
    """50 data sets; a right sampler fails once in 100 times, but the seeds are fixed.

    As many find draws of half the spread, and a shift by one posterior sd (`test_calibrate_command`). More
    samplers, scenarios and data sets: `tests/benchmarks/studies/calibrated_samplers.py`.
    """
    monkeypatch.delenv("XLA_FLAGS", raising=False)  # here the program runs for longer than its optimisation takes
    done = bench("calibrate", "-s", "s0-uniform", "-b", "numpyro.nuts", "--datasets", "50", "--name", "c", "--json")
    cell = done.json["cells"][0]
    assert (done.code, cell["state"]) == (0, "calibrated"), cell
    assert cell["datasets"] == {"planned": 50, "ok": 50}
    assert all(c["low"] <= c["level"] <= c["high"] for c in cell["coverage"])

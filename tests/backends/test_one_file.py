"""A new contender is one file: everything else of a framework has a default."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.catalog.backends import backend, forget
from bench.check import backend as checked
from tests.measure.inprocess import InProcess

GIBBS = '''
"""Gibbs sampling of a linear regression whose sigma is known."""

from dataclasses import dataclass

import numpy as np

from bench.types import Fit, Unsupported, option

KIND = "mcmc"
FAMILIES = ("linear",)


@dataclass(frozen=True)
class Options:
    thin: int = option(1, "sweeps over the parameters per draw")


def build(data, budget, options, place):
    if "sigma" in data.names or any(data.priors[name].name != "normal" for name in data.names):
        raise Unsupported("sigma must be known, and every prior normal")
    return budget, options


def fit(program, data, seed, clock):
    (budget, options), rng = program, np.random.default_rng(seed)
    x, y, sigma = data.arrays["x"], data.arrays["y"], data.priors["sigma"].args[0]
    prior = np.repeat([data.priors["weights"].args], x.shape[1], axis=0)
    if "bias" in data.names:
        x, prior = np.column_stack([x, np.ones(len(y))]), np.vstack([prior, data.priors["bias"].args])
    precision = (x**2).sum(0) / sigma**2 + prior[:, 1] ** -2
    at, kept = np.zeros((budget.chains, x.shape[1])), []

    def sweep():
        for j in range(x.shape[1]):
            residual = y - at @ x.T + at[:, [j]] * x[:, j]
            mean = (residual @ x[:, j] / sigma**2 + prior[j, 0] / prior[j, 1] ** 2) / precision[j]
            at[:, j] = mean + rng.standard_normal(budget.chains) / np.sqrt(precision[j])

    with clock("warmup"):
        for _ in range(budget.warmup):
            sweep()
    with clock("sample"):
        for _ in range(budget.draws):
            for _ in range(options.thin):
                sweep()
            kept.append(at.copy())
    return data, np.stack(kept, axis=1)


def draw(state):
    data, draws = state
    features = data.arrays["x"].shape[1]
    named = {"weights": draws[..., :features]} | ({"bias": draws[..., -1]} if "bias" in data.names else {})
    return Fit("mcmc", named, stats={"gradients": draws[..., 0].size})
'''


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder of backends that holds `mine/gibbs.py` and nothing else."""
    (tmp_path / "backends" / "mine").mkdir(parents=True)
    (tmp_path / "backends" / "mine" / "gibbs.py").write_text(GIBBS)
    monkeypatch.setenv("BENCH_BACKENDS", str(tmp_path / "backends"))
    forget()
    yield
    forget()
    for name in [name for name in sys.modules if name.startswith("backends.mine")]:
        del sys.modules[name]


def test_one_file_is_a_contender_that_keeps_the_contract(mine: None) -> None:
    info = backend("mine.gibbs")
    assert (info.home.packages, info.home.missing, info.home.dtype) == ({"numpy": "numpy"}, (), "float64")
    assert info.devices == ("cpu",)
    assert info.options["thin"].help == "sweeps over the parameters per draw"
    findings = list(checked.findings(info, {}, lambda text: None, InProcess()))
    assert [f for f in findings if f.state == "problem"] == []
    assert any("as the reference" in f.what for f in findings), findings


def test_one_file_runs_and_is_scored(bench: Callable[..., Any], mine: None, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("BENCH_BACKENDS", str(tmp_path / "backends"))
    done = bench("run", "-s", "s1-known-noise", "-b", "mine.gibbs[draws=200]", "--reps", "1", "--name", "r", "--json")
    assert done.code == 0, done.err
    (file,) = (tmp_path / "results" / "r").glob("fits/*/record.json")
    record = json.loads(file.read_text())
    assert record["status"] == "ok" and record["versions"] == {"numpy": np.__version__}
    assert record["peak_device_bytes"] == 0 and "compile" not in record["seconds"]

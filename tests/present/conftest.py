"""Canned runs: synthetic tables of several backends, among them failures, a fast wrong one and an identical twin."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.analysis.tables import RunTables
from bench.store.manifest import run_of
from tests.in_process import without_figures

PARTS = ("weights[0]", "weights[1]", "bias", "sigma")


@dataclass(frozen=True)
class Fake:
    """A backend that takes `seconds` (times a factor per round) and ends with mean b² `error`."""

    backend: str
    kind: str
    seconds: float = 1.0
    error: float | None = None
    options: dict[str, Any] = field(default_factory=dict)
    compile: float = 0.0
    importing: float = 1.0
    spread: float = 0.02
    status: str = "ok"
    reason: str = ""
    r_hat: float = 1.001
    ess: float = 1800.0
    divergences: float = 0.0
    z_bias: float = 0.0
    z_scale: float = 1.0
    chains: int = 4
    gates: dict[str, float | None] = field(default_factory=dict)  # metric: value in every rep; None: no row
    bad_reps: int = 0
    seed: int = 0


GATES: dict[str, dict[str, float | None]] = {
    "mcmc": {
        "stuck_parameters": 0.0, "treedepth_hits": 0.0, "e_bfmi": 0.9, "z_effective": 4.0, "z_effective_tail": 4.0,
    },
    "vi": {"log_ratios_lost": 0.0, "k_hat": 0.4, "mass_90": 0.39},
}  # fmt: skip
"""What a healthy fit of a kind says besides."""

FAKES = (
    Fake("exact.posterior", "exact", 0.012, 1e-9, seed=1),
    Fake("numpyro.nuts", "mcmc", 0.12, 0.002, compile=4.4, seed=2),
    Fake("pyro.nuts", "mcmc", 9.5, 0.0025, compile=0.4, seed=3),
    Fake("pyro.svi", "vi", 0.08, 0.41, {"guide": "normal"}, seed=4),
    Fake("torch.adam", "point", 0.21, 0.48, {"objective": "map"}, seed=5),
    Fake("sklearn.ols", "point", 0.0004, 0.47, seed=6),
    Fake("torch.sgd", "point", status="failed", reason="loss became NaN at step 12: lr·λmax/2 = 1.32 exceeds 1"),
    Fake("blackjax.nuts", "mcmc", status="unavailable", reason="blackjax is not installed; bench install blackjax"),
    Fake("stan.nuts", "mcmc", status="timeout", reason="over 120 s"),
)


def canned(
    fakes: tuple[Fake, ...] = FAKES,
    *,
    scenarios: tuple[str, ...] = ("s0-exponential",),
    reps: int = 3,
    rounds: int = 5,
    per_rep_times: bool = True,
    about: dict[str, dict[str, Any]] | None = None,
    load: float = 0.6,
) -> RunTables:
    """A run of these backends on these scenarios."""
    fits: list[dict[str, Any]] = []
    metrics: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    for scenario in scenarios:
        for fake in fakes:
            _cell(scenario, fake, reps, rounds, per_rep_times, load, fits, metrics, curves)
    run = {
        "id": "canned-1",
        "command": "python -m bench run -b 'torch.adam[lr=0.1]'",
        "started": "2026-01-02T03:04:05Z",
        "host": {"logical_cpus": 2, "machine": "x86_64", "memory_bytes": 8 << 30},
        "versions": {"python": "3.11.9", "numpy": "2.4.0"},
        "commit": "0123abc",
        "dirty": False,
        "threads": 1,
    }
    return RunTables(
        run=run_of(run | {"scenarios": about or {}}),
        fits=pd.DataFrame(fits),
        metrics=pd.DataFrame(metrics),
        curves=pd.DataFrame(
            curves,
            columns=[
                "run", "cell", "scenario", "backend", "rep", "step", "seconds", "seconds_cold", "gradients", "metric",
                "value",
            ],
        ),
    )  # fmt: skip


def _cell(
    scenario: str, fake: Fake, reps: int, rounds: int, per_rep_times: bool, load: float,
    fits: list[dict[str, Any]], metrics: list[dict[str, Any]], curves: list[dict[str, Any]],
) -> None:  # fmt: skip
    rng = np.random.default_rng([fake.seed, len(scenario)])
    key = {
        "run": "canned-1",
        "cell": f"{scenario}/{fake.backend}/{json.dumps(fake.options)}",
        "scenario": scenario,
        "backend": fake.backend,
    }
    per_round = np.exp(fake.spread * rng.standard_normal(rounds))
    for rep in range(reps * rounds):
        cold, round_ = rep % reps == 0, rep // reps
        bad = fake.status if fake.status != "ok" else "failed" if rep < fake.bad_reps else "ok"
        compile_ = fake.compile if cold else 0.0
        took = fake.seconds * per_round[round_]
        fits.append(
            key | {
                "family": "linear", "kind": fake.kind, "options": json.dumps(fake.options), "track": "matched",
                "budget": "quick" if rounds == 1 else "standard", "device": "cpu", "dtype": "float64",
                "chains": fake.chains,
                "rep": rep, "round": round_, "position": 0, "cold": cold, "split": "measured", "data_seed": rep,
                "fit_seed": rep, "status": bad, "reason": "" if bad == "ok" else fake.reason or "it broke",
                "seconds_import": fake.importing if cold else None,
                "seconds_compile": compile_ if bad == "ok" else None,
                "seconds_total": took + compile_ if bad == "ok" else None, "threads": 1, "load_average": load,
            }
        )  # fmt: skip
        if bad != "ok":
            continue

        def add(metric: str, value: float, part: str = "", rep: float = rep) -> None:
            metrics.append(key | {"rep": rep, "metric": metric, "part": part, "value": value})

        for part in PARTS:
            if fake.error is not None:
                add("b2", fake.error * (1.0 if part == "sigma" else 0.3) * rng.chisquare(20) / 20, part)
            if fake.kind == "mcmc":
                add("r_hat", fake.r_hat, part)
                add("ess_bulk", fake.ess, part)
            if fake.kind != "point":
                add("covered_90", float(rng.random() < 0.9), part)
        if fake.kind == "mcmc":
            add("divergences", fake.divergences)
            add("draws", 1000.0 * fake.chains)
            add("ess_per_second", fake.ess / took)
        if fake.kind == "point":
            add("optimality_gap", 3.2e-7)
        if fake.error is not None:
            add("b2_avg", fake.error * 0.5)
            if per_rep_times and fake.error < 0.01 and fake.kind != "exact":
                add(f"time_to_accuracy{'_cold' * cold}", 0.6 * took + compile_)
            if fake.kind != "exact":
                for step, part_done in enumerate(np.geomspace(0.01, 1, 25)):
                    error = fake.error * 0.5 + 4.0 * np.exp(-9 * part_done)
                    curves.append(
                        key | {
                            "rep": rep, "step": step, "seconds": took * part_done,
                            "seconds_cold": took * part_done + compile_, "gradients": 1.0 * step, "metric": "b2_avg",
                            "value": error,
                        }
                    )  # fmt: skip
        add("recovery_rmse", 0.1)
        for metric, value in (GATES.get(fake.kind, {}) | fake.gates).items():
            if value is not None:
                add(metric, value)
        if fake.kind == "mcmc" and fake.error is not None:
            healthy = np.random.default_rng([fake.seed, rep, 1]).standard_normal(len(PARTS))
            for part, z in zip(PARTS, healthy, strict=True):
                add("z", fake.z_bias + fake.z_scale * z, part)


@pytest.fixture(scope="session")
def make() -> Callable[..., RunTables]:
    """The factory of canned runs."""
    return canned


@pytest.fixture
def undrawn() -> Iterator[None]:
    """As `without_figures`."""
    with without_figures():
        yield


@pytest.fixture(scope="session")
def standard() -> RunTables:
    """Five rounds of three reps on one scenario."""
    return canned()

"""Synthetic runs whose every change is known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bench.analysis.tables import RunTables
from bench.store.manifest import plain, run_of
from bench.store.tables import table

HOST = {
    "machine": "0" * 12, "cpu": "A CPU", "cores": 2, "logical_cpus": 4, "usable_cpus": 4, "memory_bytes": 16 << 30,
    "system": "Linux 6.1.0 x86_64", "python": "3.11.9", "load_average": 0.3,
}  # fmt: skip


ENTRY = {
    "scenario": "s", "overrides": [], "backend": "b", "options": [], "budget": "standard", "track": "matched",
    "device": "cpu", "dtype": "float64", "id": "c", "scenario_label": "s", "options_text": "", "family": "linear",
    "kind": "mcmc", "chains": 4, "reps": 3, "rounds": 5, "explicit": True,
}  # fmt: skip
"""A cell of a manifest."""


@dataclass(frozen=True)
class Cell:
    """A cell with factors on its noise: `seconds`, `compile` on times, `b2` and `ess` on scores."""

    backend: str = "torch.adam"
    options: str = ""
    scenario: str = "s4-linear"
    kind: str = "mcmc"
    seconds: float = 1.0
    between: float = 0.02
    within: float = 0.01
    compile: float = 0.0
    b2: float = 0.01
    ess: float = 400.0
    elpd: float = -100.0
    divergences: float = 0.0
    rss: float = 300e6
    statuses: dict[int, str] = field(default_factory=dict)
    status: str = "ok"
    scenario_digest: str = "scenario-1"
    backend_digest: str = "backend-1"
    data: str = "data"
    fixed: bool = False
    threads: int = 2
    track: str = "matched"
    scored: bool = True
    data_effect: float = 0.0
    """sd of log seconds between data sets, the same in every run."""
    redrawn: bool = True
    """Whether scores get fresh noise per run, as when a change moves the stream of random numbers."""

    @property
    def id(self) -> str:
        return f"{self.scenario}|{self.backend}|{self.options}|{self.track}"


def run(
    *cells: Cell, seed: int, name: str = "", rounds: int = 5, reps: int = 3, root: int = 0, **manifest: Any
) -> RunTables:
    """A run of these cells; `seed` is of its noise, `root` of its data."""
    fits, metrics = [], []
    for cell in cells:
        made = list(_fits(cell, name or f"run-{seed}", rounds, reps, seed, root))
        fits += made
        if cell.scored:
            metrics += [m for f in made if f["status"] == "ok" for m in _scores(cell, f, seed, root)]
    about = {
        "id": name or f"run-{seed}",
        "command": f"python -m bench run -s s4-linear -b x --name n{seed} --rounds {rounds}",
        "started": f"2026-01-01T00:00:{seed % 60:02d}", "host": HOST, "versions": {"torch": "2.1", "numpy": "2.0"},
        "commit": "abc", "dirty": False, "bench": "0.1.0", "threads": 2, "scenarios": {},
    }  # fmt: skip
    return RunTables(
        run=run_of({**about, **manifest}),
        fits=table("fits", fits),
        metrics=table("metrics", metrics),
        curves=table("curves"),
    )


def with_facts(tables: RunTables, **facts: Any) -> RunTables:
    """The same run with other facts in its manifest."""
    return replace(tables, run=run_of({**plain(tables.run), **facts}))


def pair(cell: Cell, rounds: int = 5, reps: int = 3, **changes: Any) -> tuple[RunTables, RunTables]:
    """A run of a cell, and one where it has changed."""
    return (
        run(cell, seed=1, name="a", rounds=rounds, reps=reps),
        run(replace(cell, **changes), seed=2, name="b", rounds=rounds, reps=reps),
    )


def _fits(cell: Cell, name: str, rounds: int, reps: int, seed: int, root: int):
    rng = np.random.default_rng([seed, *cell.id.encode()])
    child = cell.between * rng.standard_normal(rounds)
    for rep in range(rounds * reps):
        cold, round_ = rep % reps == 0, rep // reps
        status = cell.statuses.get(rep, cell.status)
        data_seed = None if cell.fixed else 1000 * root + rep
        ease = np.random.default_rng([root, rep]).standard_normal() * cell.data_effect
        took = cell.seconds * np.exp(child[round_] + cell.within * rng.standard_normal() + ease)
        memory = cell.rss * np.exp(0.005 * rng.standard_normal())
        ok = status == "ok"
        yield {
            "run": name, "cell": cell.id, "scenario": cell.scenario, "family": "linear", "backend": cell.backend,
            "kind": cell.kind, "options": cell.options, "track": cell.track, "budget": "standard", "device": "cpu",
            "dtype": "float64", "chains": 4, "rep": rep, "round": round_, "position": 0, "cold": cold,
            "split": "measured", "data_seed": data_seed, "fit_seed": rep, "status": status,
            "reason": "" if ok else "it broke", "seconds_import": 1.0 if cold else None, "seconds_build": 0.0,
            "seconds_compile": (cell.compile if cold else 0.0) if ok else None,
            "seconds_total": took + (cell.compile if cold else 0.0) if ok else None, "gradients": 1000.0,
            "peak_rss_bytes": int(memory), "peak_device_bytes": 0, "threads": cell.threads, "load_average": 0.5,
            "data_digest": f"{cell.data}-{data_seed}", "scenario_digest": cell.scenario_digest,
            "backend_digest": cell.backend_digest, "notes": "", "explicit": True,
        }  # fmt: skip


def _scores(cell: Cell, fit: dict[str, Any], seed: int, root: int):
    rep = fit["rep"]
    rng = np.random.default_rng([root, rep, seed if cell.redrawn else 0])
    b2 = cell.b2 * rng.chisquare(8) / 8
    found = {
        "b2_avg": b2, "b2_max": 3 * b2, "elpd": cell.elpd + 0.2 * rng.standard_normal(), "recovery_rmse": 0.1,
        "divergences": cell.divergences,
    }  # fmt: skip
    if not fit["cold"]:
        found["ess_per_second"] = cell.ess * np.exp(0.02 * rng.standard_normal()) / fit["seconds_total"]
    for metric, value in found.items():
        yield {
            "run": fit["run"], "cell": fit["cell"], "scenario": cell.scenario, "backend": cell.backend, "rep": rep,
            "metric": metric, "part": "", "value": value,
        }  # fmt: skip

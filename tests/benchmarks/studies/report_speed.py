"""Seconds and bytes of the reports of big runs, made of synthetic tables.

python tests/benchmarks/studies/report_speed.py                 every size, about a minute
python tests/benchmarks/studies/report_speed.py thousand        one of them
python tests/benchmarks/studies/report_speed.py wide --profile  and where the time goes

Each size is rendered in one process that has imported everything before; the first line of a size says what it holds.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from bench.analysis.sections import report, sections
from bench.analysis.tables import RunTables
from bench.present import markdown
from bench.present.html import report as html
from bench.store.manifest import run_of

KINDS = ("mcmc", "vi", "mcmc", "point")
SIZES: dict[str, dict[str, int]] = {
    "thousand": {"scenarios": 9, "backends": 8, "reps": 3, "rounds": 5, "parts": 4, "steps": 40},
    "rows": {"scenarios": 12, "backends": 12, "reps": 3, "rounds": 5, "parts": 21, "steps": 40},
    "wide": {"scenarios": 100, "backends": 40, "reps": 2, "rounds": 3, "parts": 3, "steps": 10},
}
LIMITS = {"thousand": (10.0, 5e6), "rows": (30.0, 25e6), "wide": (60.0, 25e6)}
"""Seconds and bytes that the HTML may take."""


def tables(*, scenarios: int, backends: int, reps: int, rounds: int, parts: int, steps: int) -> RunTables:
    """A run in which every fit finished: `parts` parameters, `steps` checkpoints of those that have any."""
    rng = np.random.default_rng(20260101)
    per = reps * rounds
    cells = pd.DataFrame(
        [
            (f"s{s:03}-case", f"lib{b % 5}.method{b:02}", KINDS[b % 4])
            for s in range(scenarios)
            for b in range(backends)
        ],
        columns=["scenario", "backend", "kind"],
    )
    cells["cell"] = [f"{i:012x}" for i in range(len(cells))]
    cells["speed"] = np.exp(rng.normal(0, 1, len(cells)))
    fits = cells.loc[cells.index.repeat(per)].reset_index(drop=True)
    rep = np.tile(np.arange(per), len(cells))
    child = np.exp(rng.normal(0, 0.1, (len(cells), rounds))).repeat(reps, axis=1).ravel()
    took = fits["speed"] * child * np.exp(rng.normal(0, 0.03, len(fits)))
    fits = fits.assign(
        run="big", family="linear", options="", track="matched", budget="standard", device="cpu", dtype="float64",
        chains=4, rep=rep, round=rep // reps, position=0, cold=rep % reps == 0, split="measured", data_seed=rep,
        fit_seed=rep, status="ok", reason="", seconds_import=1.0, seconds_build=0.01, seconds_warmup=0.4 * took,
        seconds_sample=0.6 * took, seconds_transfer=0.0, seconds_compile=np.where(rep % reps == 0, 2.0, 0.0),
        seconds_total=took + np.where(rep % reps == 0, 2.0, 0.0), gradients=1000.0, gradients_warmup=400.0, threads=2,
        peak_rss_bytes=300_000_000, peak_device_bytes=0, load_average=0.5, disturbance=0.01, notes="",
        scenario_digest="s", backend_digest="b", data_digest="d", measured_at="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    run = {
        "id": "big", "command": "python -m bench run", "started": "2026-01-01T00:00:00+00:00", "commit": "abc",
        "dirty": False, "host": {"cpu": "A CPU", "logical_cpus": 2}, "versions": {"numpy": "2"}, "threads": 2,
        "seed": 0,
    }  # fmt: skip
    return RunTables(run_of(run), fits.drop(columns="speed"), _metrics(fits, rng, parts), _curves(fits, rng, steps))


def _metrics(fits: pd.DataFrame, rng: np.random.Generator, parts: int) -> pd.DataFrame:
    """b² of every part of every fit, R-hat and ESS of chains, and what belongs to a whole fit."""
    pieces = []

    def add(metric: str, mine: pd.DataFrame, value: np.ndarray, part: str = "") -> None:
        pieces.append(mine[["run", "cell", "scenario", "backend", "rep"]].assign(metric=metric, part=part, value=value))

    chains, q = fits[fits["kind"] == "mcmc"], fits[fits["kind"] == "vi"]
    level = fits["speed"].to_numpy() * 0 + np.where(fits["kind"] == "mcmc", 0.003, 0.05)
    for i in range(parts):
        part = f"weights[{i}]"
        add("b2", fits, level * rng.chisquare(1, len(fits)), part)
        add("r_hat", chains, 1.0 + 0.002 * rng.random(len(chains)), part)
        add("ess_bulk", chains, 1500 + 500 * rng.random(len(chains)), part)
    add("b2_avg", fits, level)
    add("ess_per_second", chains, 1000 / chains["speed"].to_numpy())
    add("stuck_parameters", chains, np.zeros(len(chains)))
    add("time_to_accuracy", chains, 0.6 * chains["seconds_sample"].to_numpy())
    add("k_hat", q, 0.4 + 0.1 * rng.random(len(q)))
    add("recovery_rmse", fits, 0.1 + 0.01 * rng.random(len(fits)))
    return pd.concat(pieces, ignore_index=True)


def _curves(fits: pd.DataFrame, rng: np.random.Generator, steps: int) -> pd.DataFrame:
    """b²_avg at log-spaced steps of the fits of the first two rounds."""
    mine = fits[(fits["round"] < 2) & (fits["kind"] != "point")]
    curves = mine.loc[mine.index.repeat(steps)].reset_index(drop=True)
    done = np.tile(np.geomspace(0.01, 1, steps), len(mine))
    curves = curves.assign(
        step=np.tile(np.arange(steps), len(mine)), seconds=curves["seconds_sample"] * done, metric="b2_avg",
        gradients=1000 * done, value=0.003 + 3 * np.exp(-9 * done) * np.exp(rng.normal(0, 0.1, len(curves))),
    )  # fmt: skip
    curves["seconds_cold"] = curves["seconds"] + 2.0
    columns = ["run", "cell", "scenario", "backend", "rep", "step", "seconds", "seconds_cold", "gradients", "metric"]
    return curves[[*columns, "value"]]


def measured(name: str, call: Callable[[RunTables], object], made: RunTables) -> float:
    began, used = time.perf_counter(), time.process_time()
    out = call(made)
    seconds, used = time.perf_counter() - began, time.process_time() - used
    size = f"{len(out.encode()) / 1e6:8.2f} MB" if isinstance(out, str) else ""
    print(f"  {name:10} {seconds:7.2f} s, {used:7.2f} s of CPU {size}")
    return seconds


def main(names: list[str], *, profile: bool) -> None:
    small = tables(scenarios=1, backends=2, reps=2, rounds=3, parts=1, steps=5)
    html.render(report(small)), markdown.render(report(small))
    for name in names:
        made = tables(**SIZES[name])
        print(f"{name}: {len(made.fits)} fits, {len(made.metrics)} rows of metrics, {len(made.curves)} of curves, "
              f"{made.fits['cell'].nunique()} cells; the page may take {LIMITS[name][0]:.0f} s "
              f"and {LIMITS[name][1] / 1e6:.0f} MB")  # fmt: skip
        profiler = cProfile.Profile()
        if profile:
            profiler.enable()
        measured("sections", sections, made)
        shown = report(made)
        measured("markdown", markdown.render, shown)
        measured("html", html.render, shown)
        profiler.disable()
        if profile:
            pstats.Stats(profiler).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    chosen = [a for a in sys.argv[1:] if not a.startswith("-")]
    main(chosen or list(SIZES), profile="--profile" in sys.argv)

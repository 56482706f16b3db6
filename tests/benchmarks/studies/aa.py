"""A backend compared with itself, and with itself made slower: how often is it called different?

python tests/benchmarks/studies/aa.py [--batches 8] [--rounds 10]

Every batch is `bench ab . .` over six cells: two sides of the same code in turn, each with a fork server of its own,
since children of one server share its memory layout and would hide what that does. `bench compare` judges each cell's
warm seconds. Slowdowns are planted in what was measured of B: twice the floor that the doctor's formula gives for A's
rounds of that cell (where that is more than the threshold of 5 %: less is `same` by definition), and 10 %. Fractions
have a binomial standard error of √(p(1 − p)/n).
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.analysis.tables import RunTables
from bench.comparison.rows import COMPARED, Request
from bench.comparison.verdicts import compare
from bench.doctor.floor import floor_of
from bench.pipeline import run_tables
from bench.store.folder import RunFolder

SCENARIOS = "s1-known-noise[n_obs=[80,140,200]]", "s4-linear[n_obs=[80,140,200]]"
CONTENDER = "numpy.gd[steps=4000]"
THRESHOLD = 0.05


def batch(seed: int, rounds: int) -> tuple[RunTables, RunTables]:
    """Both sides of one go."""
    with tempfile.TemporaryDirectory() as folder:
        cells = [arg for scenario in SCENARIOS for arg in ("-s", scenario)]
        counts = ["--reps", "4", "--rounds", str(rounds), "--max-rounds", str(rounds), "--seed", str(seed)]
        command = [sys.executable, "-m", "bench", "ab", ".", ".", *cells, "-b", CONTENDER, *counts]
        done = subprocess.run(
            [*command, "--results", folder, "--name", "r"], check=False, capture_output=True, text=True
        )
        if done.returncode not in (0, 1):
            sys.exit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
        a, b = (run_tables(RunFolder(Path(folder) / f"r-{side}")) for side in "ab")
    return a, b


def slower(tables: RunTables, factors: dict[str, float]) -> RunTables:
    """All seconds of a cell times its factor."""
    fits = tables.fits.copy()
    fits["seconds_total"] *= fits["cell"].map(factors).astype(float)
    return dataclasses.replace(tables, fits=fits)


def verdicts(a: RunTables, b: RunTables) -> dict[str, str]:
    """{cell: verdict on warm seconds}, each cell compared alone."""
    found = {}
    for cell in a.fits["cell"].unique():
        one = [dataclasses.replace(t, fits=t.fits[t.fits["cell"] == cell]) for t in (a, b)]
        rows = compare(one[0], one[1], Request(metrics=("seconds_total",))).rows
        found[str(cell)] = next(row.verdict for row in rows if row.metric == "seconds_total")
    assert set(found.values()) <= COMPARED, found
    return found


def floors(tables: RunTables, rounds: int) -> dict[str, float]:
    """{cell: the doctor's floor for so many rounds a side}."""
    warm = tables.fits[~tables.fits["cold"].astype(bool)]
    return {
        str(cell): floor_of([list(r["seconds_total"]) for _, r in mine.groupby("round")], [rounds]).smallest[rounds]
        for cell, mine in warm.groupby("cell")
    }


def share(found: list[str], *wanted: str) -> str:
    """How many have one of these verdicts."""
    n = sum(verdict in wanted for verdict in found)
    return f"{n} of {len(found)} ({n / len(found):.1%})" if found else "none to be had"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=10)
    asked = parser.parse_args()
    same: list[str] = []
    twice: list[str] = []
    tenth: list[str] = []
    seen: list[float] = []
    for seed in range(asked.batches):
        a, b = batch(seed, asked.rounds)
        floor = floors(a, asked.rounds)
        seen += floor.values()
        found = list(verdicts(a, b).values())
        same += found
        print(f"batch {seed}: {share(found, 'worse', 'better')} called different", flush=True)
        planted = verdicts(a, slower(b, {cell: 1 + 2 * f for cell, f in floor.items()}))
        twice += [verdict for cell, verdict in planted.items() if 2 * floor[cell] > THRESHOLD]
        quiet = verdicts(a, slower(b, dict.fromkeys(floor, 1.1)))
        tenth += [verdict for cell, verdict in quiet.items() if floor[cell] <= 0.05]
    print(f"{len(same)} comparisons of {asked.rounds} rounds a side; floor: median {np.median(seen):.1%}, "
          f"{min(seen):.1%} to {max(seen):.1%}")  # fmt: skip
    print(f"A/A called different: {share(same, 'worse', 'better')}; same: {share(same, 'same')}")
    print(f"slower by twice the floor, found: {share(twice, 'worse')}; called same: {share(twice, 'same')}")
    print(f"slower by 10 % where the floor is at most 5 %, found: {share(tenth, 'worse')}")


if __name__ == "__main__":
    main()

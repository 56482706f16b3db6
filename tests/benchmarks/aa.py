"""A backend compared with itself, and with itself made slower: how often is it called different?

python tests/benchmarks/aa.py [--batches 4] [--rounds 20]

Every batch is one run of ten cells, whose even rounds are A and odd rounds B; `bench compare` judges each cell's warm
seconds. The slowdowns are planted in what was measured of B: twice the floor that the doctor's formula gives for A's
rounds of that cell, and 10 %. Fractions have a binomial standard error of √(p(1 − p)/n).
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.cli.output import run_tables
from bench.compare.rows import COMPARED, Request
from bench.compare.verdicts import compare
from bench.doctor.floor import floor_of
from bench.reports.tables import RunTables
from bench.store.folder import RunFolder

SIZES = [80, 100, 120, 140, 160, 180, 200, 220, 240, 260]
SCENARIO = f"s1-known-noise[n_obs={SIZES}]".replace(" ", "")
CONTENDER = "numpy.gd[steps=4000]"


def batch(seed: int, rounds: int) -> RunTables:
    """One run of all cells."""
    with tempfile.TemporaryDirectory() as folder:
        args = ["-s", SCENARIO, "-b", CONTENDER, "--reps", "4", "--rounds", str(rounds), "--seed", str(seed)]
        command = [sys.executable, "-m", "bench", "run", *args, "--no-score", "--results", folder, "--name", "r"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return run_tables(RunFolder(Path(folder) / "r"))


def half(tables: RunTables, which: int) -> RunTables:
    """Every other round, numbered anew; the halves saw other data, so nothing is paired."""
    fits = tables.fits[tables.fits["round"] % 2 == which].copy()
    fits["round"] //= 2
    return dataclasses.replace(tables, fits=fits, run={**tables.run, "id": "AB"[which]})


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
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    same: list[str] = []
    twice: list[str] = []
    tenth: list[str] = []
    seen: list[float] = []
    for seed in range(asked.batches):
        tables = batch(seed, asked.rounds)
        a, b = half(tables, 0), half(tables, 1)
        floor = floors(a, asked.rounds // 2)
        seen += floor.values()
        same += verdicts(a, b).values()
        twice += verdicts(a, slower(b, {cell: 1 + 2 * f for cell, f in floor.items()})).values()
        quiet = verdicts(a, slower(b, dict.fromkeys(floor, 1.1)))
        tenth += [verdict for cell, verdict in quiet.items() if floor[cell] <= 0.05]
    print(f"{len(same)} comparisons of {asked.rounds // 2} rounds a side; floor: median {np.median(seen):.1%}, "
          f"{min(seen):.1%} to {max(seen):.1%}")  # fmt: skip
    print(f"A/A called different: {share(same, 'worse', 'better')}; same: {share(same, 'same')}")
    print(f"slower by twice the floor, found: {share(twice, 'worse')}; called same: {share(twice, 'same')}")
    print(f"slower by 10 % where the floor is at most 5 %, found: {share(tenth, 'worse')}")


if __name__ == "__main__":
    main()

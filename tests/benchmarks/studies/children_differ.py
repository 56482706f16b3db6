"""What makes children differ: the noise between them, and the floor it gives, under several conditions.

python tests/benchmarks/studies/children_differ.py [--rounds 20]

Conditions are interleaved in blocks of five rounds, each block a run of its own, so that a drift of the machine meets
all of them. Printed are the standard deviations of log seconds between children (of their medians) and within them, and
the floor of ten rounds that follows.
"""

from __future__ import annotations

import argparse
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from bench.doctor.floor import floor_of

CASES = {"numpy.gd[steps=4000]": "s1-known-noise", "torch.adam[steps=1000]": "s4-linear"}
FIXED_LAYOUT = ["setarch", "-R"]
CONDITIONS: dict[str, tuple[list[str], list[str]]] = {
    "forked": ([], []),
    "fresh": ([], ["--fresh"]),
    "forked, 1 CPU": ([], ["--threads", "1"]),
    "fresh, 1 CPU": ([], ["--fresh", "--threads", "1"]),
    "fresh, 1 CPU, fixed addresses": (FIXED_LAYOUT, ["--fresh", "--threads", "1"]),
    "forked, 1 CPU, 15 reps": ([], ["--threads", "1", "--reps", "15"]),
    "fresh, 1 CPU, 15 reps": ([], ["--fresh", "--threads", "1", "--reps", "15"]),
}
BLOCK = 5


def block(contender: str, scenario: str, before: list[str], flags: list[str]) -> list[list[float]]:
    """Warm seconds of each round of one run."""
    with tempfile.TemporaryDirectory() as folder:
        args = ["-s", scenario, "-b", contender, "--rounds", str(BLOCK), "--no-score", "--results", folder]
        reps = [] if "--reps" in flags else ["--reps", "5"]
        command = [*before, sys.executable, "-m", "bench", "run", *args, *reps, "--name", "r", *flags]
        subprocess.run(command, check=True, capture_output=True)
        fits = pd.read_parquet(Path(folder) / "r" / "fits.parquet")
    warm = fits[~fits.cold]
    return [list(rows.seconds_total) for _, rows in warm.groupby("round")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    able = bool(shutil.which(FIXED_LAYOUT[0]))
    for contender, scenario in CASES.items():
        found: dict[str, list[list[list[float]]]] = {}
        for _ in range(math.ceil(rounds / BLOCK)):
            for name, (before, flags) in CONDITIONS.items():
                if able or not before:
                    found.setdefault(name, []).append(block(contender, scenario, before, flags))
        for name, blocks in found.items():
            floor = floor_of([r for b in blocks for r in b], [10])
            medians = [float(np.median(np.concatenate([np.log(r) for r in b]))) for b in blocks]
            print(f"{contender}, {name}: {math.exp(float(np.mean(medians))):.4f} s; sd of logs between children "
                  f"{floor.between:.3f}, within {floor.within:.3f}, between runs {np.std(medians, ddof=1):.3f}; "
                  f"floor of 10 rounds {floor.smallest[10]:.1%}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()

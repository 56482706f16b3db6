"""Children forked where their framework is imported, against fresh interpreters: paired, interleaved, with intervals.

python tests/benchmarks/studies/fork_equals_fresh.py [--pairs 10]

Every pair is one run of each kind with the same seeds, in alternating order; the ratio forked / fresh is taken of warm
seconds (median of the warm reps), of cold seconds and of peak memory, on the log scale, with Student's t over pairs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

CASES = {
    "numpy.gd[steps=20000]": "s4-linear",
    "torch.adam[steps=3000]": "s4-linear",
    "pyro.svi[steps=1000]": "s1-known-noise",
    "numpyro.nuts": "s0-uniform",
}


def one(contender: str, scenario: str, *flags: str) -> dict[str, float]:
    """Warm and cold seconds and peak memory of one child."""
    with tempfile.TemporaryDirectory() as folder:
        args = ["-s", scenario, "-b", contender, "--reps", "5", "--no-score", "--results", folder, "--name", "r"]
        subprocess.run([sys.executable, "-m", "bench", "run", *args, *flags], check=True, capture_output=True)
        fits = pd.read_parquet(Path(folder) / "r" / "fits.parquet")
    return {
        "warm seconds": float(fits[~fits.cold].seconds_total.median()),
        "cold seconds": float(fits[fits.cold].seconds_total.median()),
        "peak memory": float(fits.peak_rss_bytes.max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10)
    pairs = parser.parse_args().pairs
    for contender, scenario in CASES.items():
        logs: dict[str, list[float]] = {}
        for i in range(pairs):
            order = (("forked", ()), ("fresh", ("--fresh",)))
            found = {name: one(contender, scenario, *flags) for name, flags in (order if i % 2 else order[::-1])}
            for what in found["fresh"]:
                logs.setdefault(what, []).append(float(np.log(found["forked"][what] / found["fresh"][what])))
        for what, values in logs.items():
            mean, error = np.mean(values), stats.sem(values)
            low, high = np.exp(stats.t.interval(0.95, len(values) - 1, mean, error))
            print(f"{contender}: {what}, forked / fresh {np.exp(mean):.3f} (95 % interval {low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()

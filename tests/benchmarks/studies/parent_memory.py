"""Memory of the process that runs and scores 1000 fits: it must stay flat.

python tests/benchmarks/studies/parent_memory.py [--fits 1000]

The contender is the tests' fake, whose fits take no time; memory is read from the process table while the run goes on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

FAKES = Path(__file__).parents[2] / "fakes"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fits", type=int, default=1000)
    count = parser.parse_args().fits
    seen: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        args = ["-s", "correlated-rho95", "-b", "fake.exact", "--reps", "2", "--rounds", str(count // 2)]
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "bench", "run", *args, "--results", folder, "--name", "r", "--no-score"],
            env={**os.environ, "BENCH_BACKENDS": str(FAKES)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None:
            done = len(list((Path(folder) / "r" / "fits").glob("[!.]*"))) if (Path(folder) / "r").is_dir() else 0
            try:
                seen.append((done, psutil.Process(process.pid).memory_info().rss / 2**20))
            except psutil.Error:
                break
            time.sleep(0.5)
        seconds = time.perf_counter() - began
    fits, rss = np.array(seen).T
    running = (fits > 0.1 * count) & (fits < 0.99 * count)  # tables are written, with pandas, after the last
    slope = np.polyfit(fits[running], rss[running], 1)[0]
    first, last = rss[running][:5].mean(), rss[running][-5:].mean()
    print(f"exit code {process.wait()}, {count} fits in {seconds:.0f} s ({1000 * seconds / count:.0f} ms per fit)")
    print(f"parent: {first:.1f} MiB after a tenth of the fits, {last:.1f} MiB at the end, ratio {last / first:.3f}")
    print(f"slope {1000 * slope:.2f} MiB per 1000 fits")


if __name__ == "__main__":
    main()

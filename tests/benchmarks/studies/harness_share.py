"""The harness's own share of `bench run`: wall clock minus build…transfer seconds minus framework imports.

An import counts once where children are forked from it, by the clock on the wall: several may run side by side, and
what scoring needs is imported meanwhile. Those of fresh children (no fork server can be had, or --fresh) come on top.
Verification counts as the harness's: the first of the two runs does all of it, the second finds its verdicts kept.

python tests/benchmarks/studies/harness_share.py            the quick suite
python tests/benchmarks/studies/harness_share.py -s s4-linear
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd


def main(args: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("first", "again"):
            report(name, Path(folder), args)


def report(name: str, folder: Path, args: list[str]) -> None:
    """Print the share of one run."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "bench", "run", "--results", str(folder), "--name", name, *args]
    environment = {**os.environ, "BENCH_CACHE": str(folder / "cache")}
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, env=environment)
    wall = time.perf_counter() - began
    fits = pd.read_parquet(folder / name / "fits.parquet")
    manifest = json.loads((folder / name / "run.json").read_text())
    fresh = fits[fits.started != "forked"]
    work, imports = float(fits.seconds_total.sum()), manifest["imports"]["seconds"] + float(fresh.seconds_import.sum())
    share = 1.0 - (work + imports) / wall
    print(f"{name}: exit code {done.returncode}, {len(fits)} fits, wall {wall:.1f} s")
    print(f"build…transfer {work:.1f} s, framework imports {imports:.1f} s, harness {wall - work - imports:.1f} s")
    print(f"harness share: {share:.1%} (with imports counted in: {1.0 - work / wall:.1%})")


if __name__ == "__main__":
    main(sys.argv[1:])

"""The harness's own share of `bench run`: wall clock minus build…transfer seconds minus framework imports.

An import counts once where children are forked from it, by the clock on the wall since two may run side by side; those
of fresh children (unsupported by a fork server, or --fresh) come on top. Verification counts as the harness's.

python tests/benchmarks/studies/harness_share.py            the quick suite
python tests/benchmarks/studies/harness_share.py -s s4-linear
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd


def main(args: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        command = [sys.executable, "-m", "bench", "run", "--results", folder, "--name", "share", *args]
        done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        wall = time.perf_counter() - began
        fits = pd.read_parquet(Path(folder) / "share" / "fits.parquet")
        manifest = json.loads((Path(folder) / "share" / "run.json").read_text())
    fresh = fits[fits.started != "forked"]
    work, imports = float(fits.seconds_total.sum()), manifest["imports"]["seconds"] + float(fresh.seconds_import.sum())
    share = 1.0 - (work + imports) / wall
    print(f"exit code {done.returncode}, {len(fits)} fits, wall {wall:.1f} s")
    print(f"build…transfer {work:.1f} s, framework imports {imports:.1f} s, harness {wall - work - imports:.1f} s")
    print(f"harness share: {share:.1%} (with imports counted in: {1.0 - work / wall:.1%})")


if __name__ == "__main__":
    main(sys.argv[1:])
